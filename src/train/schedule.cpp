#include "train/schedule.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"

namespace precis {
namespace {

/// How far a micro-batch is.
enum class Passed : std::uint8_t { none, forward, input_gradient, whole };

/// Where a micro-batch is after this action; nothing if the action may not follow.
std::optional<Passed> after(Passed passed, ActionKind kind) {
  switch (kind) {
    case ActionKind::forward:
      return passed == Passed::none ? std::optional(Passed::forward) : std::nullopt;
    case ActionKind::backward:
      return passed == Passed::forward ? std::optional(Passed::whole) : std::nullopt;
    case ActionKind::input_gradient:
      return passed == Passed::forward ? std::optional(Passed::input_gradient) : std::nullopt;
    case ActionKind::weight_gradient:
      return passed == Passed::input_gradient ? std::optional(Passed::whole) : std::nullopt;
  }
  return std::nullopt;
}

/// The lowest number that is not taken; it is now.
int take_lowest(std::vector<bool>& taken) {
  const auto vacant = std::ranges::find(taken, false);
  const auto number = static_cast<int>(vacant - taken.begin());
  if (vacant == taken.end()) {
    taken.push_back(true);
  } else {
    *vacant = true;
  }
  return number;
}

/// Adds the forward passes before a stage's first backward pass; returns how many.
std::int64_t first_forwards(StagePlace place, std::int64_t micro_batches,
                            std::vector<Action>& actions) {
  const std::int64_t count = std::min<std::int64_t>(place.stages - 1 - place.stage, micro_batches);
  for (std::int64_t m = 0; m < count; ++m) {
    actions.push_back({ActionKind::forward, m});
  }
  return count;
}

}  // namespace

std::vector<Action> gpipe(StagePlace /*place*/, std::int64_t micro_batches) {
  std::vector<Action> actions;
  for (const ActionKind kind : {ActionKind::forward, ActionKind::backward}) {
    for (std::int64_t m = 0; m < micro_batches; ++m) {
      actions.push_back({kind, m});
    }
  }
  return actions;
}

std::vector<Action> one_forward_one_backward(StagePlace place, std::int64_t micro_batches) {
  std::vector<Action> actions;
  std::int64_t forwards = first_forwards(place, micro_batches, actions);
  for (std::int64_t m = 0; m < micro_batches; ++m) {
    if (forwards < micro_batches) {
      actions.push_back({ActionKind::forward, forwards++});
    }
    actions.push_back({ActionKind::backward, m});
  }
  return actions;
}

std::vector<Action> zero_bubble(StagePlace place, std::int64_t micro_batches) {
  std::vector<Action> actions;
  std::int64_t forwards = first_forwards(place, micro_batches, actions);
  std::int64_t weight_gradients = 0;
  for (std::int64_t m = 0; m < micro_batches; ++m) {
    if (forwards < micro_batches) {
      actions.push_back({ActionKind::forward, forwards++});
    }
    actions.push_back({ActionKind::input_gradient, m});
    if (m >= place.stage) {
      actions.push_back({ActionKind::weight_gradient, weight_gradients++});
    }
  }
  while (weight_gradients < micro_batches) {
    actions.push_back({ActionKind::weight_gradient, weight_gradients++});
  }
  return actions;
}

std::vector<int> assign_slots(std::span<const Action> actions) {
  const auto micro_batches =
      static_cast<std::size_t>(std::ranges::count(actions, ActionKind::forward, &Action::kind));
  std::vector<Passed> passed(micro_batches, Passed::none);
  std::vector<int> slots(micro_batches, -1);
  std::vector<bool> taken;
  for (const Action& action : actions) {
    const auto m = static_cast<std::size_t>(action.micro_batch);
    const auto now = m < micro_batches ? after(passed[m], action.kind) : std::nullopt;
    require(
        now.has_value(),
        "A schedule of {} micro-batches has work for micro-batch {} that cannot follow what was "
        "done before it.",
        micro_batches, action.micro_batch);
    passed[m] = *now;
    if (action.kind == ActionKind::forward) {
      slots[m] = take_lowest(taken);
    } else if (*now == Passed::whole) {
      taken[static_cast<std::size_t>(slots[m])] = false;
    }
  }
  for (std::size_t m = 0; m < micro_batches; ++m) {
    require(passed[m] == Passed::whole, "A schedule leaves micro-batch {} without its gradient.",
            m);
  }
  return slots;
}

std::vector<int> assign_deferred(std::span<const Action> actions) {
  std::vector<int> numbers(
      static_cast<std::size_t>(std::ranges::count(actions, ActionKind::forward, &Action::kind)),
      -1);
  std::vector<bool> taken;
  for (const Action& action : actions) {
    int& number = numbers[static_cast<std::size_t>(action.micro_batch)];
    if (action.kind == ActionKind::input_gradient) {
      number = take_lowest(taken);
    } else if (action.kind == ActionKind::weight_gradient) {
      taken[static_cast<std::size_t>(number)] = false;
    }
  }
  return numbers;
}

}  // namespace precis
