#include "train/signal_answers.hpp"

#include <fmt/format.h>

#include <csignal>
#include <utility>

#include "io/partial_output.hpp"

namespace precis {
namespace {

std::string command_that_saves(const Mpirun& mpirun) {
  return mpirun.process != 0 ? fmt::format("kill -USR1 {}", mpirun.process)
                             : "kill -USR1 PID, with the PID of mpirun,";
}

}  // namespace

std::string acknowledgement(const StopSignals::Request& asked,
                            const std::optional<Mpirun>& mpirun) {
  const std::string name = signal_name(asked.signal);
  if (!asked.first) {
    return fmt::format(
        "{} was received too: the run still saves and stops at the end of this step.", name);
  }
  std::string text = fmt::format(
      "{} was received: the run saves and stops at the end of this step. The same signal again "
      "within five seconds ends it at once, without saving.",
      name);
  const bool passed_on =
      asked.signal == SIGINT || asked.signal == SIGTERM || asked.signal == SIGHUP;
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

EndsWithoutLoss::EndsWithoutLoss(Log& log, NextLaunch next, ProgressRecord& progress)
    : watch_([&log, &progress, next = std::move(next),
              under_mpirun = find_mpirun().has_value()](const SignalWatch::Received& received) {
        log.info("{}. No step was under way: nothing is lost. The same command {}.",
                 received_text(received.signal, under_mpirun), next.does);
        progress.end();
        if (next.has_deck) {
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
