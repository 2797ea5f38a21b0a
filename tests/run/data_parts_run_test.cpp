// Whole runs in f32 whose steps are cut into the same parts have the same bits on every number of
// ranks that divides the parts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::HasSubstr;

constexpr int steps = 12;
constexpr int stopped_early = 75;

const TrainingFixture& f() { return training_fixture(); }

const Words four_parts{"--exact.data_parts", "4"};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(DataParts, SftHasTheSameBitsOnEveryNumberOfRanksThatDividesThem) {
  // A tied head, whose two gradients are added in each part, and steps that four does not divide.
  const Words keys = with(four_parts, {"--train.batch", "15", "--model.position", "learned"});
  succeed(f().sft("sft_1", keys, 1));
  for (const int ranks : {2, 4}) {
    const std::string name = "sft_" + std::to_string(ranks);
    succeed(f().sft(name, with(keys, {"--train.micro_batch_tokens", "300"}), ranks));
    expect_same_training(f() / "sft_1", f() / name, steps);
  }
}

TEST(DataParts, WithoutRowsChangeNothing) {
  const Words keys = with(four_parts, {"--train.batch", "3"});
  succeed(f().sft("few_1", keys, 1));
  succeed(f().sft("few_4", keys, 4));
  expect_same_training(f() / "few_1", f() / "few_4", steps);
}

TEST(DataParts, RewardHasTheSameBitsOnEveryNumberOfRanksThatDividesThem) {
  succeed(f().reward("reward_1", four_parts, 1));
  succeed(f().reward("reward_2", four_parts, 2));
  expect_same_training(f() / "reward_1", f() / "reward_2", steps);
}

TEST(DataParts, ARunThatIsContinuedOnOtherRanksEndsAsIfItHadNeverMoved) {
  succeed(f().sft("stayed", {}, 2));
  // Without the key it takes the parts of its first launch.
  EXPECT_EQ(run(f().sft("moved", {"--train.stop_after", "4"}, 2)).status, stopped_early);
  EXPECT_EQ(run(f().sft("moved", {"--train.stop_after", "4"}, 1)).status, stopped_early);
  succeed(f().sft("moved", {}, 2));
  expect_same_training(f() / "stayed", f() / "moved", steps);
  EXPECT_THAT(text_of(f() / "moved/deck.cfg"), HasSubstr("data_parts = 2"));
  // A run that is done is so on any number of ranks.
  EXPECT_THAT(succeed(f().sft("moved", {}, 1)).output, HasSubstr("is complete"));
  const Outcome other = run(f().sft("moved", {"--exact.data_parts", "1"}, 1));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.output, HasSubstr("exact.data_parts (was '2', now '1')"));
}

TEST(DataParts, OfAnotherNumberAreAnError) {
  const Outcome three = run(f().sft("three", {"--exact.data_parts", "3"}, 1));
  EXPECT_EQ(three.status, 2);
  EXPECT_THAT(three.output,
              HasSubstr("exact.data_parts is 3; expected a power of two, such as 4."));
}

}  // namespace
}  // namespace precis::test
