#include "eval/axes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/real_data.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

JsonRow row_of(const std::string& text, std::int64_t line = 3) {
  return {.value = nlohmann::json::parse(text), .file = "axes.jsonl", .line = line};
}

AxisRating rating(const std::string& policy, const std::string& axes,
                  const std::string& post = "p") {
  return parse_axis_rating(row_of(R"({"info":{"post":")" + post +
                                  R"("},"summary":{"text":" a","policy":")" + policy +
                                  R"(","axes":)" + axes + R"(},"worker":"w"})"));
}

TEST(Axes, AreSummarizedByPolicy) {
  const std::vector<AxisRating> ratings = {
      rating("ppo", R"({"overall":7,"accuracy":7,"coverage":null,"compatible":true})"),
      rating("ppo", R"({"overall":5})", "q"), rating("ppo", R"({"overall":7})", "r"),
      rating("ref", R"({"overall":4,"coherence":1})")};
  const AxesReport report = report_axes(ratings);
  ASSERT_EQ(report.by_policy.size(), 2U);
  const AxisSummary& overall = report.by_policy.at("ppo").at("overall");
  EXPECT_EQ(overall.ratings, 3);
  EXPECT_NEAR(overall.mean.mean, 19.0 / 3, 1e-12);
  EXPECT_NEAR(overall.mean.high, 19.0 / 3 + student_975(2) * 2 / 3, 1e-9);  // standard error 2/3
  EXPECT_NEAR(overall.best.rate, 2.0 / 3, 1e-12);
  EXPECT_NEAR(overall.best.low, 0.2077, 1e-4);  // Wilson, 2 of 3
  EXPECT_EQ(overall.histogram, (std::array<std::int64_t, 7>{0, 0, 0, 0, 1, 0, 2}));
  EXPECT_EQ(report.by_policy.at("ppo").count("coverage"), 0U);
  EXPECT_EQ(report.by_policy.at("ref").at("coherence").histogram[0], 1);
  EXPECT_EQ(report.by_worker.at("w").at("overall").ratings, 4);
  EXPECT_THAT(to_text(report), HasSubstr("6.33"));
  EXPECT_EQ(to_json(report)["by_policy"]["ppo"]["overall"]["ratings"], 3);
}

TEST(Axes, RatingsThatAreThereAgainCountOnceAndTheirOrderDoesNot) {
  std::vector<AxisRating> once;
  for (int i = 0; i < 9; ++i) {
    once.push_back(rating(i % 2 == 0 ? "ppo" : "ref",
                          R"({"overall":)" + std::to_string(1 + i % 7) + "}",
                          std::to_string(i / 3)));
  }
  std::vector<AxisRating> many;
  for (std::size_t i = 0; i < 16 * once.size(); ++i) {
    many.push_back(once[(5 * i) % once.size()]);
  }
  const AxesReport report = report_axes(many);
  EXPECT_EQ(report.repeated, 15 * 9);
  EXPECT_EQ(to_json(report), to_json(report_axes(once)));
  // Three posts, with several ratings of each.
  EXPECT_EQ(report.by_worker.at("w").at("overall").ratings, 9);
  EXPECT_NE(once[0].post, once[3].post);
  EXPECT_EQ(once[0].post, once[2].post);
}

TEST(Axes, EqualRatingsWithoutPostAndTextAreSeveral) {
  const std::string row = R"({"summary":{"policy":"ppo","axes":{"overall":7}},"worker":"w"})";
  const AxesReport report = report_axes(std::vector<AxisRating>{parse_axis_rating(row_of(row, 1)),
                                                                parse_axis_rating(row_of(row, 2))});
  EXPECT_EQ(report.by_policy.at("ppo").at("overall").ratings, 2);
  EXPECT_EQ(report.repeated, 0);
}

TEST(Axes, RowsThatAreNotJudgementsAreNamed) {
  const auto message = [](const std::string& text) {
    return message_of<BadRow>([&] { (void)parse_axis_rating(row_of(text)); });
  };
  EXPECT_THAT(message(R"({"summaries":[]})"),
              HasSubstr("axes.jsonl:3: the field `summary` is miss"));
  EXPECT_THAT(message(R"({"summary":{"axes":3}})"), HasSubstr("`summary.axes` is number"));
  EXPECT_THAT(message(R"({"summary":{"axes":{"overall":8}}})"),
              HasSubstr("`summary.axes.overall` is 8"));
  EXPECT_THAT(message(R"({"summary":{"axes":{"accuracy":6.5}}})"), HasSubstr("accuracy` is 6.5"));
  EXPECT_THAT(message(R"({"summary":{"axes":{"overall":"7"}}})"), HasSubstr("overall` is string"));
  EXPECT_THAT(message(R"({"summary":{"axes":{"compatible":true}}})"), HasSubstr("has none of"));
}

TEST(Axes, OpenAisRowsAreRead) {
  PRECIS_NEEDS_DATA("preferences/openai_axis_evals_sample.jsonl")
  int rows = 0;
  for_each_row(data_path, [&](const JsonRow& row) {
    const AxisRating found = parse_axis_rating(row);
    EXPECT_EQ(found.policy, "ref");
    EXPECT_EQ(found.scores[0], 3);
    EXPECT_EQ(found.scores[3], 2);
    ++rows;
  });
  EXPECT_EQ(rows, 1);
}

}  // namespace
}  // namespace precis
