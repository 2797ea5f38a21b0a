// The responses of an earlier run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.hpp"
#include "rlhf/episode_rows.hpp"
#include "rlhf/rollout.hpp"
#include "rlhf/support.hpp"
#include "support/expect_error.hpp"
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

TEST_F(ReplayTest, RefusesAnEpisodeThatOccursTwice) {
  EXPECT_THAT(message_of<Error>([&] {
                Replay(write({4, 2, 4}), 100, 6);
              }),
              testing::HasSubstr("episodes.jsonl:3: an earlier row is episode 4"));
}

TEST_F(ReplayTest, ConvertsNoNumbersSilently) {
  const std::string row = episode_row(test::some_experience(0, 3), 1, "a", 0.05, {0}).dump();
  for (const char* field : {"episode", "prompt_ids", "response_ids"}) {
    for (const char* wrong : {"1.7", "true", "-1", "18446744073709551615", "null"}) {
      nlohmann::json changed = nlohmann::json::parse(row);
      nlohmann::json& value = changed[field];
      (value.is_array() ? value[0] : value) = nlohmann::json::parse(wrong);
      const std::string file = folder_.file("wrong.jsonl", changed.dump());
      EXPECT_THAT(message_of<Error>([&] { Replay(file, 100, 6); }),
                  testing::HasSubstr(std::string("wrong.jsonl:1: the field `") + field))
          << wrong;
    }
  }
  for (const char* wrong : {"true", "null", "\"1\""}) {
    nlohmann::json changed = nlohmann::json::parse(row);
    changed["rollout_logprobs"][0] = nlohmann::json::parse(wrong);
    const std::string file = folder_.file("wrong.jsonl", changed.dump());
    EXPECT_THROW(Replay(file, 100, 6), Error) << wrong;
  }
  nlohmann::json large = nlohmann::json::parse(row);
  large["prompt_ids"][0] = 4'294'967'297;
  EXPECT_THROW(Replay(folder_.file("large.jsonl", large.dump()), 100, 6), Error);
}

}  // namespace
}  // namespace precis
