// What whole-program tests of supervised training share: a small data set, models, and the commands
// on them.
#pragma once

#include <string>
#include <vector>

#include "run/ppo_run.hpp"

namespace precis::test {

using Words = std::vector<std::string>;

/// Rows of `precis synthesize`, a tokenizer, comparisons, and a policy and a reward model of a few
/// steps; made by the program itself, once for the test program.
class TrainingFixture {
 public:
  TrainingFixture();
  [[nodiscard]] Path operator/(const std::string& name) const { return folder_ / name; }

  /// `precis WORDS`, on some ranks.
  [[nodiscard]] Words command(const Words& words, int ranks = 1) const;
  /// 12 steps of 16 rows; `more` may replace its keys, an empty value leaves one out.
  [[nodiscard]] Words sft(const std::string& run, const Words& more = {}, int ranks = 1) const;
  [[nodiscard]] Words reward(const std::string& run, const Words& more = {}, int ranks = 1) const;

 private:
  [[nodiscard]] Words with_keys(const std::string& name, Words keys, const Words& more,
                                int ranks) const;

  TemporaryFolder folder_;
};

[[nodiscard]] const TrainingFixture& training_fixture();

/// Rows of metrics without what two runs of the same bits differ in.
[[nodiscard]] Rows rows_without_times(const Path& file);

/// A run on several ranks of pipeline or tensor parallelism writes no samples.
enum class Samples { of_both, of_whole_models_only };

/// Expects that both runs end in the same model, last checkpoint, metrics but for times, and
/// samples.
void expect_same_training(const Path& a, const Path& b, int steps,
                          Samples samples = Samples::of_both);

/// Runs a command that must succeed.
Outcome succeed(const Words& words);

}  // namespace precis::test
