#include "eval/win.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

const std::string post =
    "My boss lost my bike at the farm in June. My boss is 40 years old. I feel sad about it. "
    "Should I "
    "call them?";

std::vector<GoldRow> rows_of(std::size_t count) {
  std::vector<GoldRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i].id = std::to_string(i);
    rows[i].row.post.body = "Post " + std::to_string(i) + ".";
    rows[i].facts = read_post(post).value();
    rows[i].row.summary = "My boss lost my bike.";
  }
  return rows;
}

TEST(Wilson, IntervalsArePublishedOnes) {
  // Newcombe 1998, table I: 81 of 263 and 15 of 148.
  const Rate many = wilson_interval(81, 263);
  EXPECT_NEAR(many.low, 0.2553, 5e-5);
  EXPECT_NEAR(many.high, 0.3662, 5e-5);
  const Rate few = wilson_interval(15, 148);
  EXPECT_NEAR(few.low, 0.0624, 5e-5);
  EXPECT_NEAR(few.high, 0.1605, 5e-5);
  const Rate none = wilson_interval(0, 20);
  EXPECT_NEAR(none.low, 0, 1e-15);
  EXPECT_NEAR(none.high, 0.1611, 5e-5);
}

TEST(Win, WinsTiesAndLossesAreCountedSampleBySample) {
  const auto rows = rows_of(2);
  const SampledSummary better{
      .response = " My boss lost my bike at the farm.", .ended = true, .index = 0};
  const SampledSummary same{.response = " My boss lost my bike.", .ended = true, .index = 1};
  const SampledSummary cut{.response = " My boss lost my bike.", .ended = false, .index = 1};
  const std::vector<std::vector<SampledSummary>> a = {{better, same}, {better, cut}};
  const WinResult result = compare(rows, a, reference_samples(rows, 2));
  EXPECT_EQ(result.wins, 2);
  EXPECT_EQ(result.ties, 1);
  EXPECT_EQ(result.losses, 1);
  EXPECT_EQ(result.win_rate.rate, 2.5 / 4);
  EXPECT_EQ(result.a.gold, (3.0 + 2 + 3 - 2) / 8 / 4);
  EXPECT_EQ(result.a.ended, 0.75);
  EXPECT_EQ(result.b.gold, 2.0 / 8);
  EXPECT_EQ(result.b.coverage, 2.0 / 8);
  EXPECT_EQ(result.b.accuracy, 1);
  EXPECT_EQ(result.b.words, 5);
  ASSERT_EQ(result.rows.size(), 4U);
  EXPECT_EQ(result.rows[3].row, 1U);
  EXPECT_EQ(result.rows[3].index, 1);
}

/// Every number of the result, to compare by text.
std::string all_of(const WinResult& result) {
  nlohmann::ordered_json json = {to_json(result)["win_rate"], to_json(result)["win_rate_low"],
                                 to_json(result)["win_rate_high"], to_json(result.equal_length)};
  for (const GoldMeans* means : {&result.a, &result.b}) {
    json.push_back({means->gold, means->coverage, means->accuracy, means->words, means->ended});
  }
  return json.dump();
}

// Posts with three different samples each.
TEST(Win, CopiesOfSamplesAndOfRowsChangeNoBit) {
  const std::vector<std::string> texts = {" My boss lost my bike at the farm.",
                                          " My boss lost my bike.", " I feel sad.",
                                          " My boss, 40, lost my car at the farm in June."};
  auto rows = rows_of(8);
  std::vector<std::vector<SampledSummary>> once;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& of_row = once.emplace_back();
    for (std::size_t k = 0; k < 3; ++k) {
      of_row.push_back({.response = texts[(i * i + 3 * k) % texts.size()],
                        .ended = (i + k) % 5 != 0,
                        .index = static_cast<std::int64_t>(k)});
    }
  }
  const std::string expected = all_of(compare(rows, once, reference_samples(rows, 3)));
  EXPECT_NE(expected.find("slope"), std::string::npos) << expected;
  auto many = once;
  for (auto& of_row : many) {
    const auto own = of_row;
    for (int copy = 1; copy < 16; ++copy) {
      of_row.insert(of_row.end(), own.begin(), own.end());
    }
  }
  EXPECT_EQ(all_of(compare(rows, many, reference_samples(rows, 48))), expected);
  // Rows without an id may be copies of one post: here each five times, in another order.
  std::vector<GoldRow> more_rows;
  std::vector<std::vector<SampledSummary>> more;
  for (std::size_t i = 0; i < 5 * rows.size(); ++i) {
    const std::size_t from = (rows.size() - 1) - i % rows.size();
    more_rows.push_back(rows[from]);
    more_rows.back().id = std::to_string(i);
    more.push_back(once[from]);
  }
  EXPECT_EQ(all_of(compare(more_rows, more, reference_samples(more_rows, 3))), expected);
}

TEST(Win, SidesWithDifferentNumbersOfSamplesAreRefused) {
  const auto rows = rows_of(2);
  EXPECT_THROW((void)compare(rows, reference_samples(rows, 1), reference_samples(rows, 2)), Error);
  EXPECT_THROW((void)compare({}, {}, {}), Error);
}

}  // namespace
}  // namespace precis
