// What a pipeline stage computes in a step, and in which order: pure functions that return data.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace precis {

/// `backward` is the gradient of the inputs and that of the weights at once, layer by layer, which
/// holds the least; the other two are its halves, for schedules that put them apart.
enum class ActionKind : std::uint8_t { forward, backward, input_gradient, weight_gradient };

struct Action {
  ActionKind kind = ActionKind::forward;
  std::int64_t micro_batch = 0;
  friend bool operator==(const Action&, const Action&) = default;
};

/// Where a stage stands in its pipeline.
struct StagePlace {
  int stage = 0;
  int stages = 1;
};

/// The actions of a stage in a step with so many micro-batches. Hidden states go to the next stage
/// after a forward pass, gradients to the one before after a backward pass or an input gradient; a
/// stage waits for what it is given before the action that needs it. All stages' lists together
/// have no deadlock if a stage may be one message ahead in each direction.
using MakeSchedule = std::vector<Action> (*)(StagePlace place, std::int64_t micro_batches);

/// GPipe (Huang et al. 2019): all forward, then all backward. Every micro-batch is in flight at
/// once; the bubble, the time of a stage without work, is (stages - 1) micro-batches.
[[nodiscard]] std::vector<Action> gpipe(StagePlace place, std::int64_t micro_batches);
/// 1F1B (Narayanan et al. 2019, 2021): one forward, one backward, as soon as the first backward is
/// possible. The same bubble, with (stages - stage) micro-batches in flight at most. On one stage,
/// each micro-batch forward and backward, one after another.
[[nodiscard]] std::vector<Action> one_forward_one_backward(StagePlace place,
                                                           std::int64_t micro_batches);
/// ZB-H1 (Qi et al. 2024, "Zero bubble pipeline parallelism"): 1F1B in which the gradients of the
/// weights, that no other stage waits for, are put off: on stage s by s micro-batches. Where there
/// are as many micro-batches as stages, the bubble is (stages - 1)(input gradient + what a forward
/// pass takes longer than the weights' gradient), with at most as many micro-batches in flight as
/// stages.
[[nodiscard]] std::vector<Action> zero_bubble(StagePlace place, std::int64_t micro_batches);

/// The slot of each micro-batch: the lowest that no other one has between its forward pass and the
/// end of its backward pass. So there are as many slots as micro-batches in flight at most. Throws
/// Error unless the actions are those of whole passes over micro-batches 0, 1, ..., each once, and
/// none comes before what it needs.
[[nodiscard]] std::vector<int> assign_slots(std::span<const Action> actions);
/// The same for the memory between the two halves of a backward pass; -1 where it is one action.
/// The actions are such that `assign_slots` takes them.
[[nodiscard]] std::vector<int> assign_deferred(std::span<const Action> actions);

}  // namespace precis
