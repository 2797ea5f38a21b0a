// Whole runs on grids of pipeline stages, tensor shares and copies have the bits of one rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int steps = 12;
constexpr int stopped_early = 75;

const TrainingFixture& f() { return training_fixture(); }

const Words two_parts{"--exact.data_parts", "2"};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words on(const std::string& grid, const Words& more = {}) {
  return with(with(two_parts, {"--grid", grid}), more);
}

TEST(Grids, SftHasTheSameBits) {
  // A tied head, which the first and the last stage share.
  const Words keys = {"--train.batch", "15", "--model.position", "learned"};
  succeed(f().sft("sft", with(two_parts, keys), 1));
  const auto sft = [&](const std::string& name, const std::string& grid, const Words& more,
                       int ranks) { succeed(f().sft(name, on(grid, with(keys, more)), ranks)); };
  sft("sft_pp", "pp=2", {"--train.micro_batch_tokens", "300", "--parallel.recompute", "block"}, 2);
  sft("sft_tp", "tp=2", {"--parallel.sequence", "true"}, 2);
  sft("sft_all", "dp=2,pp=2,tp=2",
      {"--parallel.schedule", "zb", "--parallel.sequence", "true", "--parallel.recompute", "full"},
      8);
  for (const char* name : {"sft_pp", "sft_tp", "sft_all"}) {
    SCOPED_TRACE(name);
    expect_same_training(f() / "sft", f() / name, steps, Samples::of_whole_models_only);
  }
}

TEST(Grids, RewardHasTheSameBits) {
  succeed(f().reward("reward_one", two_parts, 1));
  succeed(f().reward("reward_pp_tp", on("pp=2,tp=2", {"--parallel.schedule", "gpipe"}), 4));
  expect_same_training(f() / "reward_one", f() / "reward_pp_tp", steps);
}

TEST(Grids, ARunMovesBetweenThem) {
  succeed(f().sft("stayed", two_parts, 1));
  const auto part = [](const std::string& grid, const Words& more) {
    const Words words = with({"--train.stop_after", "3"}, more);
    EXPECT_EQ(run(f().sft("moved", on(grid, words), 2)).status, stopped_early);
  };
  // The moments of dp=2 are in the checkpoint by owners, and come from one that is not.
  part("pp=2", {"--parallel.recompute", "full"});
  part("dp=2", {});
  part("tp=2", {"--parallel.sequence", "true"});
  succeed(f().sft("moved", on("dp=2", {"--parallel.zero", "false"}), 2));
  expect_same_training(f() / "stayed", f() / "moved", steps, Samples::of_whole_models_only);
}

TEST(Grids, ScoreWritesTheSameLines) {
  const auto score = [](const std::string& name, const std::string& model, const Words& more,
                        int ranks) {
    const Words words = {"score",    "--model", f() / model, "--input", f() / "data/valid.jsonl",
                         "--output", f() / name};
    succeed(f().command(with(words, more), ranks));
    return text_of(f() / name);
  };
  succeed(f().reward("scoring", two_parts, 1));
  for (const char* model : {"policy/model.h5", "scoring/model.h5"}) {
    const std::string expected = score("scores", model, {}, 1);
    EXPECT_EQ(score("scores_pp", model, {"--grid", "pp=2"}, 2), expected);
    EXPECT_EQ(score("scores_all", model, {"--grid", "dp=2,tp=2"}, 4), expected);
  }
}

TEST(Grids, HoldWhatDryRunsSay) {
  expect_planned_memory(f().sft("planned_pp", on("pp=2", {"--parallel.schedule", "gpipe"}), 2),
                        f() / "planned_pp");
  expect_planned_memory(f().sft("planned_tp", on("tp=2", {"--parallel.sequence", "true"}), 2),
                        f() / "planned_tp");
  expect_planned_memory(f().sft("planned_dp", on("dp=2", {"--parallel.recompute", "block"}), 2),
                        f() / "planned_dp");
  expect_planned_memory(f().reward("planned_reward", on("pp=2,tp=2"), 4), f() / "planned_reward");
}

TEST(Grids, ThatDoNotFitAreOneMessage) {
  const auto refused = [](const Words& more, int ranks) {
    const Outcome outcome = run(f().sft("refused", with(more, {"--log.level", "error"}), ranks));
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    expect_one_message(outcome);
    return outcome.output;
  };
  EXPECT_THAT(refused({"--grid", "pp=3"}, 3),
              AllOf(HasSubstr("pp = 3"), HasSubstr("more stages than the model has blocks")));
  EXPECT_THAT(refused({"--grid", "pp=2", "--parallel.stages", "1,2"}, 2),
              HasSubstr("parallel.stages = 1,2"));
  EXPECT_THAT(refused({"--grid", "tp=2"}, 3), HasSubstr("but 3 were started"));
  EXPECT_THAT(refused({"--exact.tensor_parts", "3"}, 1),
              HasSubstr("exact.tensor_parts is 3; expected a power of two, such as 4."));
}

}  // namespace
}  // namespace precis::test
