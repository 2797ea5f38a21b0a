#include "train/stopping.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/error.hpp"
#include "io/partial_output.hpp"

namespace precis {
namespace {

std::string command_that_saves(const Mpirun& mpirun) {
  return mpirun.process != 0 ? fmt::format("kill -USR1 {}", mpirun.process)
                             : "kill -USR1 PID, with the PID of mpirun,";
}

}  // namespace

std::optional<AllocationEnd> find_allocation_end(const std::string& end_time, Log& log) {
  const auto now = std::chrono::system_clock::now();
  if (!end_time.empty()) {
    const auto time = parse_end_time(end_time);
    if (time && *time <= now) {
      fail_usage(
          "end_time is {}, which is past: it is {}. Give the time when this allocation ends, or "
          "none.",
          utc_time(*time), utc_time(now));
    }
    return time ? std::optional<AllocationEnd>({*time, "end_time"}) : std::nullopt;
  }
  constexpr const char* variable = "SLURM_JOB_END_TIME";
  const char* const text = std::getenv(variable);
  if (text == nullptr || *text == '\0') {
    return std::nullopt;
  }
  std::optional<TimePoint> time;
  try {
    time = parse_end_time(text);
  } catch (const UsageError&) {
    fail("{} is '{}', which is no time. Unset it, or give --end_time.", variable, text);
  }
  if (time && *time <= now) {
    log.warning("{} is {}, which is past: this launch has no end.", variable, utc_time(*time));
    return std::nullopt;
  }
  return time ? std::optional<AllocationEnd>({*time, variable}) : std::nullopt;
}

std::string acknowledgement(const StopSignals::Wish& wish, const std::optional<Mpirun>& mpirun) {
  const std::string name = signal_name(wish.signal);
  if (!wish.first) {
    return fmt::format(
        "{} was received too: the run still saves and stops at the end of this step.", name);
  }
  std::string text = fmt::format(
      "{} was received: the run saves and stops at the end of this step. The same signal again "
      "within five seconds ends it at once, without saving.",
      name);
  const bool passed_on = wish.signal == SIGINT || wish.signal == SIGTERM || wish.signal == SIGHUP;
  if (mpirun && passed_on) {
    text += fmt::format(
        " But mpirun kills its ranks about two seconds after Ctrl-C, SIGTERM or SIGHUP: a step "
        "that "
        "takes longer is lost. {} is what saves; scripts/launch.sh makes Ctrl-C do that.",
        command_that_saves(*mpirun));
  }
  return text;
}

std::string received_text(int signal, bool under_mpirun) {
  const bool is_mpiruns = under_mpirun && signal == SIGTERM;
  return fmt::format(
      "{} was received{}", signal_name(signal),
      is_mpiruns ? ", which mpirun also sends for Ctrl-C or when a rank has ended" : "");
}

EndsWithoutLoss::EndsWithoutLoss(Log& log, Standstill standstill)
    : watch_([&log, standstill = std::move(standstill),
              under_mpirun = find_mpirun().has_value()](const SignalWatch::Received& received) {
        log.info("{}. No step was under way: nothing is lost. The same command {}.",
                 received_text(received.signal, under_mpirun), standstill.next);
        if (standstill.has_deck) {
          end_without_partial_outputs(ExitStatus::stopped_early);
        }
        end_without_partial_outputs(received.signal);
      }) {}

std::string how_to_stop(const Mpirun& mpirun) {
  return fmt::format(
      "To save and stop: {}. (mpirun kills its ranks about two seconds after Ctrl-C; "
      "scripts/launch.sh starts them so that Ctrl-C saves.)",
      command_that_saves(mpirun));
}

}  // namespace precis
