// Whole `ppo` runs whose first steps update the value network only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::HasSubstr;

constexpr int warmup = 3;
constexpr int steps = 5;

Fixture& f() {
  static Fixture fixture;
  return fixture;
}

std::vector<std::string> words(const std::string& name, int ranks,
                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> keys{"--train.steps",
                                std::to_string(steps),
                                "--ppo.value_warmup_steps",
                                std::to_string(warmup),
                                "--ppo.mini_batches",
                                "2",
                                "--ppo.epochs",
                                "2",
                                "--ppo.value_lambda",
                                "1",
                                "--ppo.kl_estimator",
                                "exact",
                                "--exact.data_parts",
                                "2"};
  keys.insert(keys.end(), more.begin(), more.end());
  return f().ppo(name, ranks, keys);
}

/// The folder of an uncut run on one rank.
Path whole() {
  static const Outcome outcome = run(words("whole", 1));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  return f() / "whole";
}

TEST(PpoValueWarmup, ReportsAPolicyThatStays) {
  const Rows metrics = read_rows(whole() / "metrics.jsonl");
  ASSERT_EQ(metrics.size(), static_cast<std::size_t>(steps));
  double value_loss = 0;
  for (int step = 1; step <= steps; ++step) {
    const auto& row = metrics[static_cast<std::size_t>(step - 1)];
    const bool warm = step <= warmup;
    EXPECT_EQ(row.at("weight_version"), std::max(0, step - 1 - warmup)) << step;
    for (const char* key : {"policy_loss", "update_kl", "gradient_norm_policy"}) {
      EXPECT_EQ(row.at(key) == 0, warm) << key << " of step " << step;
    }
    EXPECT_EQ(row.at("ratio_mean") == 1, warm) << step;
    EXPECT_EQ(row.at("ratio_max") == 1, warm) << step;
    EXPECT_GT(row.at("gradient_norm_value"), 0) << step;
    // The schedule of both rates goes on: linear to 0.
    EXPECT_DOUBLE_EQ(row.at("learning_rate"), 3e-3 * (1 - (step - 1.0) / steps)) << step;
    EXPECT_NE(row.at("value_loss"), value_loss) << step;
    value_loss = row.at("value_loss");
  }
  for (const auto& episode : read_rows(whole() / "episodes.jsonl")) {
    EXPECT_EQ(episode.at("weight_version"),
              std::max<std::int64_t>(0, episode.at("step").get<int>() - 1 - warmup));
  }
}

TEST(PpoValueWarmup, LeavesThePolicyAsItWas) {
  const Outcome outcome = run(words("warm", 1, {"--train.steps", std::to_string(warmup)}));
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto same = [](const Path& a, const Path& b) {
    return run({PRECIS_PROGRAM, "inspect", a, "--diff", b}).status;
  };
  EXPECT_EQ(same(f() / "policy.h5", f() / "warm" / "policy.h5"), 0);
  EXPECT_EQ(same(f() / "policy.h5", whole() / "policy.h5"), 1) << "after the warm-up it learns";
}

/// Cut in the warm-up, continued in it on other ranks, cut again after it.
TEST(PpoValueWarmup, CutAndContinuedIsTheSame) {
  struct Launch {
    int ranks;
    std::vector<std::string> keys;
    int status;
  };
  const Launch launches[]{{1, {"--train.stop_after", "2"}, 75},
                          {3, {"--placement", "dedicated", "--train.stop_after", "2"}, 75},
                          {2, {}, 0}};
  for (const Launch& launch : launches) {
    const Outcome outcome = run(words("cut", launch.ranks, launch.keys));
    EXPECT_EQ(outcome.status, launch.status) << outcome.output;
  }
  expect_same_run(whole(), f() / "cut", steps);
}

TEST(PpoValueWarmup, BelongsToTheRun) {
  const std::pair<const char*, const char*> others[]{{"--ppo.value_warmup_steps", "2"},
                                                     {"--ppo.value_lambda", "0.5"},
                                                     {"--ppo.kl_estimator", "k3"}};
  (void)whole();
  for (const auto& [key, value] : others) {
    const Outcome outcome = run(words("whole", 1, {key, value, "--train.steps", "6"}));
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(std::string(key).substr(2) + " (was '"));
  }
}

TEST(PpoValueWarmup, LambdaOfTheValuesIsThatOfTheAdvantages) {
  const Outcome first = run(f().ppo("alone", 1, {"--ppo.lambda", "0.5"}));
  const Outcome second =
      run(f().ppo("named", 1, {"--ppo.lambda", "0.5", "--ppo.value_lambda", "0.5"}));
  const Outcome third =
      run(f().ppo("other", 1, {"--ppo.lambda", "0.5", "--ppo.value_lambda", "1"}));
  EXPECT_EQ(first.status + second.status + third.status, 0) << first.output << second.output;
  EXPECT_THAT(text_of(f() / "alone" / "deck.cfg"), HasSubstr("value_lambda = 0.5\n"));
  expect_same_run(f() / "alone", f() / "named", 3);
  const auto episodes = [](const char* name) { return read_rows(f() / name / "episodes.jsonl"); };
  EXPECT_EQ(episodes("alone")[0].at("advantages"), episodes("other")[0].at("advantages"));
  EXPECT_NE(episodes("alone")[0].at("returns"), episodes("other")[0].at("returns"));
}

}  // namespace
}  // namespace precis::test
