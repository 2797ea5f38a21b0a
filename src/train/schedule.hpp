// What a pipeline stage computes in a step, and in which order: a pure function that returns data.
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

/// The actions of a step with so many micro-batches.
using MakeSchedule = std::vector<Action> (*)(std::int64_t micro_batches);

/// With the whole model on one stage: each micro-batch forward and backward, one after another.
[[nodiscard]] std::vector<Action> single_stage_schedule(std::int64_t micro_batches);

/// The slot of each micro-batch: the lowest that no other one has between its forward pass and the
/// end of its backward pass. So there are as many slots as micro-batches in flight at most. Throws
/// Error unless the actions are those of whole passes over micro-batches 0, 1, ..., each once, and
/// none comes before what it needs.
[[nodiscard]] std::vector<int> assign_slots(std::span<const Action> actions);

}  // namespace precis
