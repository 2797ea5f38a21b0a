// What a step's progress line and warnings say.
#include "rlhf/step_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace precis {
namespace {

TEST(StepReport, ShowsTheRewardThatIsOptimisedFirst) {
  BatchReport batch;
  batch.score_mean = 0.76;
  batch.rlhf_reward = -1.01;
  batch.kl_exact = 0.2;
  batch.response_tokens_mean = 8;
  std::vector<std::pair<std::string, double>> shown;
  for (const ProgressNumbers::Value& value : progress_values(batch)) {
    shown.emplace_back(value.name, value.value);
  }
  EXPECT_EQ(shown,
            (std::vector<std::pair<std::string, double>>{
                {"reward", -1.01}, {"score", 0.76}, {"KL", 0.2}, {"length", 8}, {"ended", 0}}));
}

TEST(StepReport, WarnsWhereFewerThanHalfEnd) {
  BatchReport batch;
  PpoOptions options;
  batch.ended_fraction = 0.5;
  EXPECT_EQ(too_few_ended(batch, 3, options), "");
  batch.ended_fraction = 0.25;
  const std::pair<MissingEnd, std::string> rules[]{
      {MissingEnd::replace, "is replaced by -1 (ppo.missing_end = replace)"},
      {MissingEnd::subtract, "-1 is added to the score"},
      {MissingEnd::none, "scored all the same"}};
  for (const auto& [rule, said] : rules) {
    options.missing_end = rule;
    EXPECT_THAT(
        too_few_ended(batch, 3, options),
        testing::AllOf(testing::HasSubstr("Step 3: 25% of the summaries ended"),
                       testing::HasSubstr(said), testing::HasSubstr("data.max_response_tokens")));
  }
}

}  // namespace
}  // namespace precis
