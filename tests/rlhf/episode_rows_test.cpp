// Rows of episodes.jsonl.
#include "rlhf/episode_rows.hpp"

#include <gtest/gtest.h>

#include "rlhf/support.hpp"

namespace precis {
namespace {

TEST(EpisodeRow, HasEveryFieldOfTheContract) {
  const Experience e = test::some_experience(6, 2);
  const Row row = episode_row(e, 4, "id", 0.05, {1, 0});
  std::vector<std::string> keys;
  for (const auto& [key, value] : row.items()) {
    keys.push_back(key);
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"step", "episode", "prompt_id", "prompt_ids",
                                            "response_ids", "finish", "rollout_logprobs",
                                            "logprobs", "reference_logprobs", "values", "score_raw",
                                            "score", "kl_coefficient", "rewards", "advantages",
                                            "returns", "weight_version", "minibatch"}));
  EXPECT_EQ(row.at("finish"), "eos");
  EXPECT_EQ(row.at("minibatch"), (std::vector<int>{1, 0}));
  EXPECT_EQ(row.at("logprobs").get<std::vector<float>>(), e.logprobs) << "to the bit";
}

}  // namespace
}  // namespace precis
