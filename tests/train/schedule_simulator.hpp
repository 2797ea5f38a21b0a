// Plays the schedules of all stages of a pipeline against each other, with given times.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "train/schedule.hpp"

namespace precis {

inline double seconds_of(ActionKind kind, double forward, double input, double weight) {
  switch (kind) {
    case ActionKind::forward:
      return forward;
    case ActionKind::backward:
      return input + weight;
    case ActionKind::input_gradient:
      return input;
    case ActionKind::weight_gradient:
      return weight;
  }
  return 0;
}

inline double equal_seconds(int /*stage*/, const Action& action) {
  return seconds_of(action.kind, 1, 1, 1);
}

/// The messages from one stage to a neighbour: when each was sent, and when it was taken.
class Messages {
 public:
  void send(std::int64_t micro_batch, double time) { sent_[micro_batch] = time; }
  [[nodiscard]] std::optional<double> sent(std::int64_t micro_batch) const {
    const auto found = sent_.find(micro_batch);
    return found == sent_.end() ? std::nullopt : std::optional(found->second);
  }
  void take(double time) { taken_.push_back(time); }
  /// Since when at most `ahead` of them have not been taken; nothing while there are more.
  [[nodiscard]] std::optional<double> at_most(int ahead) const {
    const std::int64_t needed = std::ssize(sent_) - ahead;
    if (needed <= 0) {
      return 0.0;
    }
    return std::ssize(taken_) < needed
               ? std::nullopt
               : std::optional(taken_[static_cast<std::size_t>(needed - 1)]);
  }

 private:
  std::map<std::int64_t, double> sent_;
  std::vector<double> taken_;
};

/// The time until the last stage is done, if `seconds(stage, action)` is what an action takes and
/// messages take none; nothing in a deadlock. A stage stands still while more than `ahead` of its
/// messages to one neighbour have not been taken.
template <class Seconds>
std::optional<double> simulate(const std::vector<std::vector<Action>>& schedules,
                               const Seconds& seconds, int ahead) {
  const std::size_t stages = schedules.size();
  std::vector<std::size_t> next(stages, 0);
  std::vector<double> clock(stages, 0.0);
  std::vector<Messages> hidden(stages);     // of each stage to the next
  std::vector<Messages> gradients(stages);  // of each stage to the one before
  const auto play = [&](std::size_t stage) {
    const Action& action = schedules[stage][next[stage]];
    const bool is_forward = action.kind == ActionKind::forward;
    const bool is_local = action.kind == ActionKind::weight_gradient;
    Messages* from = nullptr;
    if (is_forward && stage > 0) {
      from = &hidden[stage - 1];
    } else if (!is_forward && !is_local && stage + 1 < stages) {
      from = &gradients[stage + 1];
    }
    const auto hidden_free = hidden[stage].at_most(ahead);
    const auto gradients_free = gradients[stage].at_most(ahead);
    if (!hidden_free || !gradients_free || (from != nullptr && !from->sent(action.micro_batch))) {
      return false;
    }
    double begin = std::max({clock[stage], *hidden_free, *gradients_free});
    if (from != nullptr) {
      begin = std::max(begin, *from->sent(action.micro_batch));
      from->take(begin);
    }
    clock[stage] = begin + seconds(static_cast<int>(stage), action);
    if (is_forward && stage + 1 < stages) {
      hidden[stage].send(action.micro_batch, clock[stage]);
    } else if (!is_forward && !is_local && stage > 0) {
      gradients[stage].send(action.micro_batch, clock[stage]);
    }
    ++next[stage];
    return true;
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t stage = 0; stage < stages; ++stage) {
      while (next[stage] < schedules[stage].size() && play(stage)) {
        moved = true;
      }
    }
  }
  for (std::size_t stage = 0; stage < stages; ++stage) {
    if (next[stage] < schedules[stage].size()) {
      return std::nullopt;
    }
  }
  return *std::ranges::max_element(clock);
}

}  // namespace precis
