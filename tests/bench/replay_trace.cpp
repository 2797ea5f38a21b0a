// replay_trace TRACE [STEPS]: how well a pipeline's stages are kept busy, from the trace of a run
// on a grid of stages only (dp = tp = 1) with the default schedule and exact.data_parts = 1. The
// times of each step's actions, without what they waited for messages, go through the dependency
// graph of the schedule, as on a core for each stage; this time is put beside the bubble's formula,
// (micro-batches
// + stages - 1) x mean time of a micro-batch on a stage, and beside what the step took. With STEPS
// so many consecutive steps of one micro-batch each, which stages compute one after another and so
// without taking time from each other, count as the micro-batches of one step.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.hpp"
#include "train/schedule_simulator.hpp"

namespace precis {
namespace {

struct TimedAction {
  Action action;
  double begin = 0;  // us
  double end = 0;
  double busy = 0;
};

/// Of one stage, in order; then of all stages.
using StageStep = std::vector<TimedAction>;
using Step = std::vector<StageStep>;

struct Event {
  double begin = 0;
  double end = 0;
  nlohmann::json json;
};

std::vector<Event> events_of(const nlohmann::json& trace, int rank, const char* track) {
  std::map<std::string, int> threads;
  for (const auto& event : trace) {
    if (event["ph"] == "M" && event["name"] == "thread_name" && event["pid"] == rank) {
      threads[event["args"]["name"]] = event["tid"];
    }
  }
  std::vector<Event> out;
  for (const auto& event : trace) {
    if (event["ph"] == "X" && event["pid"] == rank && event["tid"] == threads.at(track)) {
      const double begin = event["ts"];
      out.push_back({begin, begin + event["dur"].get<double>(), event});
    }
  }
  return out;
}

ActionKind kind_of(const std::string& name) {
  for (const auto& [kind, of] :
       {std::pair{ActionKind::forward, "forward"}, std::pair{ActionKind::backward, "backward"},
        std::pair{ActionKind::input_gradient, "input gradient"},
        std::pair{ActionKind::weight_gradient, "weight gradient"}}) {
    if (name == of) {
      return kind;
    }
  }
  fail("An action '{}'.", name);
}

/// The steps of a rank: each begins with the forward pass of micro-batch 0.
std::vector<StageStep> steps_of(const nlohmann::json& trace, int rank) {
  std::vector<StageStep> steps;
  const auto messages = events_of(trace, rank, "communication");
  for (const Event& event : events_of(trace, rank, "actions")) {
    if (!event.json.contains("args") || !event.json["args"].contains("micro_batch")) {
      continue;
    }
    TimedAction timed{.action = {kind_of(event.json["name"]), event.json["args"]["micro_batch"]},
                      .begin = event.begin,
                      .end = event.end,
                      .busy = event.end - event.begin};
    for (const Event& message : messages) {
      if (message.begin >= event.begin && message.end <= event.end) {
        timed.busy -= message.end - message.begin;
      }
    }
    if (timed.action == Action{ActionKind::forward, 0}) {
      steps.emplace_back();
    }
    if (!steps.empty()) {
      steps.back().push_back(timed);
    }
  }
  return steps;
}

/// Steps of one micro-batch as one step of several.
StageStep joined(const std::vector<StageStep>& steps, std::size_t first, std::size_t count) {
  StageStep all;
  for (std::size_t i = 0; i < count; ++i) {
    for (TimedAction timed : steps[first + i]) {
      require(timed.action.micro_batch == 0, "A step has more than one micro-batch.");
      timed.action.micro_batch = static_cast<std::int64_t>(i);
      all.push_back(timed);
    }
  }
  return all;
}

void report(const Step& step) {
  const int stages = static_cast<int>(step.size());
  std::map<std::pair<int, std::pair<ActionKind, std::int64_t>>, double> busy;
  std::int64_t micro_batches = 0;
  double all = 0;
  double begin = step[0].front().begin;
  double end = 0;
  std::string by_stage;
  for (int stage = 0; stage < stages; ++stage) {
    const double before = all;
    for (const TimedAction& timed : step[static_cast<std::size_t>(stage)]) {
      busy[{stage, {timed.action.kind, timed.action.micro_batch}}] = timed.busy;
      micro_batches = std::max(micro_batches, timed.action.micro_batch + 1);
      all += timed.busy;
      begin = std::min(begin, timed.begin);
      end = std::max(end, timed.end);
    }
    by_stage += fmt::format("{}{:.1f}", stage == 0 ? "" : ", ", (all - before) / 1e3);
  }
  std::vector<std::vector<Action>> schedules;
  for (int stage = 0; stage < stages; ++stage) {
    schedules.push_back(
        one_forward_one_backward({.stage = stage, .stages = stages}, micro_batches));
  }
  const auto replayed = simulate(
      schedules,
      [&](int stage, const Action& action) {
        return busy.at({stage, {action.kind, action.micro_batch}});
      },
      1);
  require(replayed.has_value(), "The schedule has a deadlock.");
  const double a_micro_batch = all / static_cast<double>(stages * micro_batches);
  const double theory = static_cast<double>(micro_batches + stages - 1) * a_micro_batch;
  fmt::print(
      "{} stages, {} micro-batches: replayed {:.1f} ms, theory {:.1f} ms, replayed/theory {:.3f}, "
      "took {:.1f} ms, took/theory {:.3f}; stages worked {} ms\n",
      stages, micro_batches, *replayed / 1e3, theory / 1e3, *replayed / theory, (end - begin) / 1e3,
      (end - begin) / theory, by_stage);
}

void replay(const char* path, std::size_t join) {
  std::ifstream file(path);
  require(file.good(), "{} cannot be opened.", path);
  const auto whole = nlohmann::json::parse(file);
  const auto& trace = whole.is_object() ? whole.at("traceEvents") : whole;
  int stages = 0;
  for (const auto& event : trace) {
    stages = std::max(stages, event["pid"].get<int>() + 1);
  }
  std::vector<std::vector<StageStep>> by_rank;
  std::size_t steps = 0;
  for (int rank = 0; rank < stages; ++rank) {
    by_rank.push_back(steps_of(trace, rank));
    steps = rank == 0 ? by_rank[0].size() : std::min(steps, by_rank.back().size());
  }
  for (std::size_t first = 0; first + join <= steps; first += join) {
    Step step;
    for (const auto& of_rank : by_rank) {
      step.push_back(join == 1 ? of_rank[first] : joined(of_rank, first, join));
    }
    report(step);
  }
}

}  // namespace
}  // namespace precis

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: replay_trace TRACE [STEPS]\n");
    return 2;
  }
  try {
    precis::replay(argv[1], argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
