#include "run/training_run.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.hpp"

namespace precis::test {
namespace {

void make(const Words& words) {
  const Outcome outcome = run(words);
  require(outcome.status == 0, "A command of the fixture failed: {}", outcome.output);
}

}  // namespace

TrainingFixture::TrainingFixture() {
  const std::string rows = folder_ / "data/train.jsonl";
  make(command({"synthesize", "--output", folder_ / "data", "--posts", "240"}));
  make(command(
      {"tokenizer", "--input", rows, "--vocab", "600", "--output", folder_ / "tokenizer.json"}));
  make(sft("policy", {"--train.steps", "40"}));
  make(command({"sample", "--model", folder_ / "policy/model.h5", "--input", rows, "--output",
                folder_ / "samples.jsonl", "--sampling.temperature", "1", "--sampling.n", "2",
                "--threads", "1"}));
  make(command({"label", "simulate", "--input", rows, "--samples", folder_ / "samples.jsonl",
                "--output", folder_ / "comparisons.jsonl", "--label.valid_share", "0.2"}));
  make(reward("reward", {"--train.steps", "4"}));
}

Words TrainingFixture::command(const Words& words, int ranks) const {
  Words all;
  if (ranks > 1) {
    all = {PRECIS_MPIEXEC, "--oversubscribe", "--bind-to", "none", "-n", std::to_string(ranks)};
  }
  all.emplace_back(PRECIS_PROGRAM);
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

Words TrainingFixture::with_keys(const std::string& name, Words keys, const Words& more,
                                 int ranks) const {
  std::map<std::string, std::string> values;
  keys.insert(keys.end(), more.begin(), more.end());
  for (std::size_t i = 0; i + 1 < keys.size(); i += 2) {
    values[keys[i]] = keys[i + 1];
  }
  Words words{name};
  for (const auto& [key, value] : values) {
    if (!value.empty()) {
      words.insert(words.end(), {key, value});
    }
  }
  return command(words, ranks);
}

Words TrainingFixture::sft(const std::string& run, const Words& more, int ranks) const {
  const Words keys{"--run",
                   folder_ / run,
                   "--tokenizer",
                   folder_ / "tokenizer.json",
                   "--data.train",
                   folder_ / "data/train.jsonl",
                   "--data.valid",
                   folder_ / "data/valid.jsonl",
                   "--data.filter",
                   "false",
                   "--model.layers",
                   "2",
                   "--model.width",
                   "32",
                   "--model.heads",
                   "4",
                   "--model.context",
                   "256",
                   "--model.position",
                   "rotary",
                   "--model.init",
                   "scaled",
                   "--train.steps",
                   "12",
                   "--train.batch",
                   "16",
                   "--train.learning_rate",
                   "3e-3",
                   "--train.valid_every",
                   "5",
                   "--threads",
                   "1"};
  return with_keys("sft", keys, more, ranks);
}

Words TrainingFixture::reward(const std::string& run, const Words& more, int ranks) const {
  const Words keys{"--run",
                   folder_ / run,
                   "--model",
                   folder_ / "policy/model.h5",
                   "--data.train",
                   folder_ / "comparisons.jsonl",
                   "--data.valid",
                   folder_ / "comparisons.jsonl",
                   "--data.train_split",
                   "train",
                   "--data.valid_split",
                   "valid1",
                   "--train.steps",
                   "12",
                   "--train.batch",
                   "16",
                   "--train.learning_rate",
                   "1e-3",
                   "--train.valid_every",
                   "3",
                   "--threads",
                   "1"};
  return with_keys("reward", keys, more, ranks);
}

const TrainingFixture& training_fixture() {
  static const TrainingFixture fixture;
  return fixture;
}

Rows rows_without_times(const Path& file) {
  Rows rows = read_rows(file);
  for (auto& row : rows) {
    for (auto item = row.begin(); item != row.end();) {
      const std::string& key = item.key();
      const bool is_time = key.starts_with("seconds") || key.ends_with("_per_second");
      item = is_time ? row.erase(item) : std::next(item);
    }
  }
  return rows;
}

void expect_same_training(const Path& a, const Path& b, int steps, Samples samples) {
  for (const std::string& name :
       {std::string("model.h5"), fmt::format("checkpoints/step_{:06}.h5", steps)}) {
    const Outcome diff = run({PRECIS_PROGRAM, "inspect", a / name, "--diff", b / name});
    EXPECT_EQ(diff.status, 0) << diff.output;
  }
  const Rows metrics = rows_without_times(a / "metrics.jsonl");
  ASSERT_EQ(metrics.size(), static_cast<std::size_t>(steps));
  EXPECT_EQ(metrics, rows_without_times(b / "metrics.jsonl"));
  if (samples == Samples::of_both) {
    EXPECT_EQ(text_of(a / "samples.jsonl"), text_of(b / "samples.jsonl"));
  }
}

Outcome succeed(const Words& words) {
  Outcome outcome = run(words);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  return outcome;
}

}  // namespace precis::test
