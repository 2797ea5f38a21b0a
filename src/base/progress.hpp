// The progress of a loop: one line rewritten in place where the log has a live line, a plain line
// now and then where not.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace precis {

/// What a progress line says about a step beside its number.
struct ProgressNumbers {
  struct Value {
    std::string name;      ///< "loss", "reward"
    double value = 0;      ///< not finite: not known, and not said
    bool percent = false;  ///< a share, as "82%"
    int decimals = 4;      ///< of what is not a percentage
  };
  std::vector<Value> values = {};
  double tokens_per_second = 0;  ///< 0: not said
};

/// Reports step n of N: with a live line at most ten times a second in place; without one as log
/// messages, the first step, then at most one every `plain_seconds`, and the last.
class Progress {
 public:
  /// `what` begins the line ("sft"); `first_step` is the number of steps already done when the loop
  /// begins, so that the time left is estimated from this launch only. `total_steps` 0: unknown.
  /// `unit` is what the line calls a step.
  Progress(Log& log, std::string what, std::int64_t first_step, std::int64_t total_steps,
           double plain_seconds = 30, std::string unit = "step");
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// After `step` steps are done.
  void report(std::int64_t step, const ProgressNumbers& numbers);

  /// "sft  step 120/1,800  3 min 20 s left  loss 2.3450  valid_loss 2.4012  12,345 tokens/s".
  [[nodiscard]] std::string line(std::int64_t step, const ProgressNumbers& numbers,
                                 double elapsed_seconds) const;

 private:
  Log& log_;
  std::string what_;
  std::int64_t first_step_;
  std::int64_t total_steps_;
  double plain_seconds_;
  std::string unit_;
  Stopwatch since_start_;
  Stopwatch since_line_;
  bool any_line_ = false;
};

}  // namespace precis
