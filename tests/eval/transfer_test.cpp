#include "eval/transfer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace precis {
namespace {

SummaryRow article(const std::string& text, const std::string& highlights) {
  SummaryRow row;
  row.post = {.id = "", .subreddit = "", .title = "", .body = text, .kind = PostKind::article};
  row.summary = highlights;
  return row;
}

TEST(Transfer, StandsBesideTheFirstThreeSentences) {
  EXPECT_EQ(lead_3("One is. Two is. Three is. Four is."), "One is.\nTwo is.\nThree is.");
  EXPECT_EQ(lead_3("One"), "One");
  EXPECT_EQ(lead_3(""), "");

  const std::vector<SummaryRow> rows = {article("One is. Two is. Three is. Four is.", "two is"),
                                        article("A b c d. E f.", "a b. e f.")};
  const std::vector<std::vector<SampledSummary>> samples = {
      {{.response = " Two is", .ended = true, .index = 0}},
      {{.response = " e f a b", .ended = false, .index = 0}}};
  const TransferReport report = report_transfer(rows, samples, true);
  ASSERT_EQ(report.columns.size(), 3U);
  const TransferColumn& own = report.columns[0];
  EXPECT_EQ(own.rouge->rouge1.f.mean, 1);
  EXPECT_EQ(own.rouge->rouge_l.recall.mean, 0.75);     // "e f" of "a b e f"
  EXPECT_EQ(own.rouge->rouge_lsum.recall.mean, 0.75);  // its sentences are "a b" and "e f"
  EXPECT_EQ(own.words.mean, 3);
  EXPECT_EQ(own.ended->rate, 0.5);
  EXPECT_EQ(own.copying.longest_run.mean, 2);
  // The lead of the first article has six words, two of which are the highlights'.
  EXPECT_EQ(report.leads[0].rouge.rouge1.precision, 2.0 / 6);
  EXPECT_EQ(report.leads[0].copying.longest_share, 1);
  EXPECT_FALSE(report.columns[2].rouge);
  EXPECT_EQ(report.columns[2].words.mean, 3);
  EXPECT_EQ(to_json(report)["samples"]["ended"]["rate"], 0.5);
}

}  // namespace
}  // namespace precis
