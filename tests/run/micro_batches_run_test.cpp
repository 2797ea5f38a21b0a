// Whole runs in f32: how a batch is cut into micro-batches changes no bit of what they write.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "run/training_run.hpp"

namespace precis::test {
namespace {

#ifdef PRECIS_ALL_MICRO_BATCHES
const std::vector<std::string> instruction_sets{"auto", "avx2"};
const std::vector<std::string> budgets{"1000000", "64", "300", "2048"};
#else
const std::vector<std::string> instruction_sets{"auto"};
const std::vector<std::string> budgets{"1000000", "300"};
#endif
constexpr int steps = 5;

using Command = std::function<Words(const std::string& run, const Words& more, int ranks)>;
using Compare = std::function<void(const Path& a, const Path& b)>;

/// Runs `command` with each budget; all must write what the first one writes.
void expect_same_bits(const std::string& name, const Command& command, const Path& folder,
                      const Compare& compare) {
  for (const std::string& set : instruction_sets) {
    for (const int ranks : {1, 2}) {
      const auto run_of = [&](const std::string& budget) {
        return fmt::format("{}_{}_{}_{}", name, set, ranks, budget);
      };
      for (const std::string& budget : budgets) {
        SCOPED_TRACE(run_of(budget));
        Words words{"/usr/bin/env", "PRECIS_ISA=" + set};
        const Words program = command(
            run_of(budget),
            {"--train.steps", std::to_string(steps), "--train.micro_batch_tokens", budget}, ranks);
        words.insert(words.end(), program.begin(), program.end());
        succeed(words);
        if (budget != budgets.front()) {
          compare(folder / run_of(budgets.front()), folder / run_of(budget));
        }
      }
    }
  }
}

void expect_same_model(const Path& a, const Path& b, const std::string& file) {
  const Outcome diff = run({PRECIS_PROGRAM, "inspect", a / file, "--diff", b / file});
  EXPECT_EQ(diff.status, 0) << diff.output;
}

void expect_same_metrics(const Path& a, const Path& b) {
  const Rows expected = rows_without_times(a / "metrics.jsonl");
  const Rows found = rows_without_times(b / "metrics.jsonl");
  ASSERT_EQ(expected.size(), static_cast<std::size_t>(steps));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i], expected[i]) << "step " << i + 1;
  }
}

void expect_same_supervised(const Path& a, const Path& b) {
  expect_same_model(a, b, "model.h5");
  expect_same_metrics(a, b);
}

TEST(MicroBatches, ChangeNoBitOfSft) {
  const TrainingFixture& f = training_fixture();
  // A tied head and learned positions: each sum that two kinds of row add to.
  const Command sft = [&](const std::string& run, Words more, int ranks) {
    more.insert(more.end(), {"--model.position", "learned"});
    return f.sft(run, more, ranks);
  };
  expect_same_bits("sft", sft, f / "", expect_same_supervised);
}

TEST(MicroBatches, ChangeNoBitOfReward) {
  const TrainingFixture& f = training_fixture();
  const Command reward = [&](const std::string& run, const Words& more, int ranks) {
    return f.reward(run, more, ranks);
  };
  expect_same_bits("reward", reward, f / "", expect_same_supervised);
}

TEST(MicroBatches, ChangeNoBitOfPpo) {
  const Fixture fixture;
  const Command ppo = [&](const std::string& run, const Words& more, int ranks) {
    return fixture.ppo(run, ranks, more);
  };
  expect_same_bits("ppo", ppo, fixture / "", [](const Path& a, const Path& b) {
    expect_same_model(a, b, "policy.h5");
    expect_same_model(a, b, "value.h5");
    expect_same_metrics(a, b);
    EXPECT_EQ(text_of(a / "episodes.jsonl"), text_of(b / "episodes.jsonl"));
  });
}

}  // namespace
}  // namespace precis::test
