// The same `ppo` run on other layouts.
#include <gtest/gtest.h>

#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

struct Layout {
  std::string name;
  int ranks;
  std::vector<std::string> keys;
};

class PpoLayouts : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fixture_ = std::make_unique<Fixture>();
    start("one", 1, {});
  }
  static void TearDownTestSuite() { fixture_.reset(); }

  static void start(const std::string& name, int ranks, std::vector<std::string> keys) {
    keys.insert(keys.end(), {"--log.level", "error"});
    const Outcome outcome = run(fixture_->ppo(name, ranks, keys));
    ASSERT_EQ(outcome.status, 0) << name << ": " << outcome.output;
    EXPECT_EQ(outcome.output, "") << name;
  }
  static Path folder(const std::string& name) { return *fixture_ / name; }

  static std::unique_ptr<Fixture> fixture_;
};
std::unique_ptr<Fixture> PpoLayouts::fixture_;

const std::vector<std::string> small_micro_batches{"--train.micro_batch_tokens", "128"};

const std::vector<Layout> layouts{
    {"accumulated", 1, small_micro_batches},
    {"two", 2, {}},
    {"three_uneven", 3, {"--reward.group", "3"}},
    {"four_accumulated", 4, small_micro_batches},
    {"dedicated_three", 3, {"--placement", "dedicated", "--reward.group", "3"}},
    {"dedicated_four", 4, {"--placement", "dedicated", "--rollout.max_sequences", "2"}},
    {"dedicated_two_learners",
     4,
     {"--placement", "dedicated", "--learner.grid", "dp=2", "--train.micro_batch_tokens", "128"}},
    {"dedicated_two_reward", 4, {"--placement", "dedicated", "--reward.grid", "dp=2"}},
};

TEST_F(PpoLayouts, SampleTheSameTokensAndRecordTheSameEpisodes) {
  const Rows expected = read_rows(folder("one") / "episodes.jsonl");
  ASSERT_EQ(expected.size(), 24U);
  for (const Layout& layout : layouts) {
    start(layout.name, layout.ranks, layout.keys);
    const Rows found = read_rows(folder(layout.name) / "episodes.jsonl");
    ASSERT_EQ(found.size(), expected.size()) << layout.name;
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(found[i], expected[i]) << layout.name << ", episode " << i << " of the first step";
    }
    for (const auto& row : read_rows(folder(layout.name) / "metrics.jsonl")) {
      EXPECT_EQ(row.at("logprob_gap_max"), 0.0) << layout.name;
      EXPECT_EQ(row.at("logprob_gap_mean"), 0.0) << layout.name;
    }
  }
}

TEST_F(PpoLayouts, AgreeOnLossesWhenTheyReplayTheSameResponses) {
  for (const Layout& layout : layouts) {
    std::vector<std::string> keys = layout.keys;
    keys.insert(keys.end(), {"--ppo.replay", folder("one") / "episodes.jsonl"});
    start(layout.name + "_replay", layout.ranks, keys);
    SCOPED_TRACE(layout.name);
    expect_close_metrics(folder("one"), folder(layout.name + "_replay"), 1e-5);
  }
}

TEST_F(PpoLayouts, HaveTheSameBitsWhereTheLearnersDivideTheDataParts) {
  const std::vector<std::string> parts{"--exact.data_parts", "4", "--ppo.mini_batches", "4"};
  const auto start_parts = [&](const std::string& name, int ranks, std::vector<std::string> keys) {
    keys.insert(keys.end(), parts.begin(), parts.end());
    start(name, ranks, keys);
  };
  start_parts("parts_one", 1, {});
  start_parts("parts_two", 2, small_micro_batches);
  start_parts("parts_four", 4, {"--parallel.zero", "false", "--parallel.recompute", "block"});
  start_parts("parts_dedicated", 4, {"--placement", "dedicated", "--learner.grid", "dp=2"});
  start_parts("parts_stages", 5,
              {"--placement", "dedicated", "--learner.grid", "pp=2", "--reward.grid", "pp=2"});
  start_parts("parts_shares", 6,
              {"--placement", "dedicated", "--learner.grid", "dp=2,tp=2",
               "--train.micro_batch_tokens", "128", "--parallel.sequence", "true"});
  start_parts(
      "parts_all", 8,
      {"--placement", "dedicated", "--learner.grid", "pp=2,tp=2", "--reward.grid", "tp=2",
       "--parallel.schedule", "zb", "--parallel.sequence", "true", "--parallel.recompute", "full"});
  // Every role on a grid of its own, on ranks of its own and on the same ones.
  start_parts("parts_roles", 8,
              {"--placement", "dedicated", "--rollout.grid", "dp=2,tp=2", "--reward.grid", "pp=2",
               "--learner.grid", "tp=2"});
  start_parts("parts_rollout_stages", 8,
              {"--placement", "dedicated", "--rollout.grid", "pp=2", "--reward.grid", "tp=2",
               "--learner.grid", "pp=2,tp=2", "--ppo.check_weights", "false"});
  start_parts("parts_one_grid", 4, {"--grid", "pp=2,tp=2"});
  start_parts("parts_colocated", 8,
              {"--rollout.grid", "dp=4,tp=2", "--reward.grid", "dp=4,pp=2", "--learner.grid",
               "dp=2,pp=2,tp=2", "--parallel.stages", "1,1"});
  for (const char* name :
       {"parts_two", "parts_four", "parts_dedicated", "parts_stages", "parts_shares", "parts_all",
        "parts_roles", "parts_rollout_stages", "parts_one_grid", "parts_colocated"}) {
    SCOPED_TRACE(name);
    expect_same_run(folder("parts_one"), folder(name), 3);
  }
}

TEST_F(PpoLayouts, AreReproducibleToTheBit) {
  start("first", 4, {"--placement", "dedicated", "--ppo.mini_batches", "2"});
  start("second", 4, {"--placement", "dedicated", "--ppo.mini_batches", "2"});
  expect_same_run(folder("first"), folder("second"), 3);
}

TEST_F(PpoLayouts, MoreRanksThanEpisodes) {
  const std::vector<std::string> two_episodes{"--ppo.batch", "2", "--ppo.mini_batches", "2"};
  start("two_episodes", 1, two_episodes);
  start("two_episodes_four_ranks", 4, two_episodes);
  expect_close_metrics(folder("two_episodes"), folder("two_episodes_four_ranks"), 1e-4);
}

TEST_F(PpoLayouts, UntiedModelsWithHeadsOfTheirOwn) {
  const std::vector<std::string> rotary{"--policy", folder("rotary_policy.h5"), "--reference", "",
                                        "--reward", folder("rotary_reward.h5")};
  start("rotary", 1, rotary);
  std::vector<std::string> dedicated = rotary;
  dedicated.insert(dedicated.end(), {"--placement", "dedicated"});
  start("rotary_dedicated", 3, dedicated);
  for (const char* name : {"rotary", "rotary_dedicated"}) {
    const Rows metrics = read_rows(folder(name) / "metrics.jsonl");
    EXPECT_EQ(metrics.at(0).at("kl_k1"), 0.0) << "the reference is the policy";
    EXPECT_NEAR(metrics.at(0).at("kl_exact"), 0.0, 1e-6);
    EXPECT_GT(metrics.at(2).at("kl_exact"), 1e-4) << "after two updates it is not";
  }
}

}  // namespace
}  // namespace precis::test
