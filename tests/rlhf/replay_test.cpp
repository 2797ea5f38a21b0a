// The responses of an earlier run.
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.hpp"
#include "rlhf/experience.hpp"
#include "rlhf/rollout.hpp"
#include "rlhf/support.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

class ReplayTest : public testing::Test {
 protected:
  [[nodiscard]] std::string write(std::initializer_list<std::int64_t> numbers) const {
    std::string file = folder_ / "episodes.jsonl";
    std::ofstream stream(file);
    for (const std::int64_t number : numbers) {
      stream << episode_row(test::some_experience(number, 3), 1, "a post", 0.05, {0}).dump()
             << "\n";
    }
    return file;
  }
  TemporaryFolder folder_;
};

TEST_F(ReplayTest, GivesEpisodesByNumber) {
  const Replay replay(write({4, 2, 3}), 100, 6);
  const Episode expected = test::some_experience(3, 3).episode;
  const Episode& found = replay.at(3);
  EXPECT_EQ(found.number, 3);
  EXPECT_EQ(found.query, expected.query);
  EXPECT_EQ(found.response, expected.response);
  EXPECT_EQ(found.rollout_logprobs, expected.rollout_logprobs);
  EXPECT_EQ(found.ended, expected.ended);
  EXPECT_TRUE(replay.at(2).ended);
  EXPECT_EQ(replay.prompt_id_of(4), "a post");
  EXPECT_NO_THROW(replay.require_episodes(2, 5));
  EXPECT_NO_THROW(replay.require_episodes(9, 9));
  EXPECT_THROW(replay.require_episodes(2, 6), Error);
  EXPECT_THROW(replay.require_episodes(1, 3), Error);
}

TEST_F(ReplayTest, RefusesTokensOutsideTheVocabularyAndLongSequences) {
  const std::string file = write({0});
  EXPECT_NO_THROW(Replay(file, 8, 6));
  EXPECT_THROW(Replay(file, 7, 6), Error);
  EXPECT_THROW(Replay(file, 8, 5), Error);
}

}  // namespace
}  // namespace precis
