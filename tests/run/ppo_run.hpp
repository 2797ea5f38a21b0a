// What whole-program tests of `ppo` share: small models, jobs that are started, watched and killed,
// and the comparison of two runs.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/shell.hpp"
#include "support/temporary_folder.hpp"

namespace precis::test {

using Path = std::filesystem::path;
using Rows = std::vector<nlohmann::json>;

/// A program running in the background, in a process group of its own; killed with its group if it
/// still runs at destruction.
class Job {
 public:
  Job(const std::vector<std::string>& words, Path output);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  /// The process that mpirun (this job) started as `rank`; this job itself if it is not mpirun.
  [[nodiscard]] pid_t rank(int rank) const;
  void signal_rank(int number, int signal) const;
  /// Kills every process of the group at once, as a node does that loses its power.
  void kill_all() const;
  /// Gives up after `seconds` (more under sanitizers), with status 124.
  [[nodiscard]] Outcome wait(double seconds = 60);

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  Path output_;
};

/// Models and prompts of make_models, made once for the whole test program.
class Fixture {
 public:
  Fixture();
  [[nodiscard]] Path operator/(const std::string& name) const { return folder_ / name; }

  /// The words of a `ppo` command of some steps of 8 episodes; `more` may replace them.
  [[nodiscard]] std::vector<std::string> ppo(const std::string& run, int ranks,
                                             const std::vector<std::string>& more = {}) const;
  [[nodiscard]] std::string output_of(const std::string& run) const;

 private:
  TemporaryFolder folder_;
};

[[nodiscard]] Outcome run(const std::vector<std::string>& words, double seconds = 60);

[[nodiscard]] Rows read_rows(const Path& file);
[[nodiscard]] std::string text_of(const Path& file);
/// Whole lines that a file has now; 0 if it is not there.
[[nodiscard]] int lines_of(const Path& file);
/// Waits until the file has so many lines; fails the test if the job ends or a minute passes.
[[nodiscard]] bool wait_for_lines(Job& job, const Path& file, int lines);

/// Expects that both runs wrote the same: final models, last checkpoint, metrics but for times,
/// episodes, samples.
void expect_same_run(const Path& a, const Path& b, int steps);
/// Expects metrics that agree to `tolerance`, relative.
void expect_close_metrics(const Path& a, const Path& b, double tolerance);
/// Expects that the command with `--dry_run` leaves no `folder`, says a time, and plans the memory
/// that the command then holds at its peak, to a tenth.
void expect_planned_memory(const std::vector<std::string>& command, const Path& folder);
/// Expects one error of precis, and no more than 12 lines.
void expect_one_message(const Outcome& outcome);

}  // namespace precis::test
