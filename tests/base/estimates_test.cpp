#include "base/estimates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.hpp"

namespace precis {
namespace {

constexpr int draws = 2000;

/// 95% of 2,000, with a deviation of 0.5%: the range of 93% to 97% is four of them on each side.
void expect_coverage(int held) {
  EXPECT_GE(held, draws * 93 / 100);
  EXPECT_LE(held, draws * 97 / 100);
}

struct Made {
  std::uint64_t posts = 30;
  std::uint32_t most_rows = 8;  ///< of a post; each has as many, or from 1 to as many
  bool unequal = false;
  double rate = 0.5;
  double resemblance = 0.5;  ///< probability that a row repeats the post's first outcome
};

std::vector<PostValue> make(const Made& made, std::uint64_t draw) {
  RandomStream random(5, Purpose::testing, draw);
  std::vector<PostValue> values;
  for (std::uint64_t post = 0; post < made.posts; ++post) {
    const std::uint32_t rows = made.unequal ? 1 + random.below(made.most_rows) : made.most_rows;
    const bool first = random.chance(made.rate);
    for (std::uint32_t i = 0; i < rows; ++i) {
      const bool repeats = i == 0 || random.chance(made.resemblance);
      values.push_back({post, (repeats ? first : random.chance(made.rate)) ? 1.0 : 0.0});
    }
  }
  return values;
}

int held_rates(const Made& made, Weight weight) {
  int held = 0;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    const Rate rate = rate_over_posts(make(made, draw), weight);
    held += rate.low <= made.rate && made.rate <= rate.high ? 1 : 0;
  }
  return held;
}

TEST(Estimates, NineteenOfTwentyRatesOfCorrelatedRowsAreHeld) {
  for (const Made& made : {Made{.posts = 20, .rate = 0.4, .resemblance = 0.3},
                           Made{.posts = 30, .most_rows = 16, .rate = 0.6, .resemblance = 0.6},
                           Made{.posts = 50, .rate = 0.75, .resemblance = 0.8},
                           Made{.posts = 50, .most_rows = 16, .rate = 0.5, .resemblance = 0},
                           Made{.posts = 200, .most_rows = 4, .rate = 0.1, .resemblance = 0.5},
                           Made{.posts = 200, .rate = 0.05, .resemblance = 0.5},
                           Made{.posts = 200, .most_rows = 1, .rate = 0.3}}) {
    SCOPED_TRACE(made.posts);
    expect_coverage(held_rates(made, Weight::posts));
  }
  for (const Made& made :
       {Made{.posts = 40, .unequal = true, .rate = 0.35, .resemblance = 0.5},
        Made{.posts = 100, .most_rows = 3, .unequal = true, .rate = 0.8, .resemblance = 0.7}}) {
    SCOPED_TRACE(made.posts);
    expect_coverage(held_rates(made, Weight::rows));
  }
}

TEST(Estimates, NineteenOfTwentyMeansOfCorrelatedRowsAreHeld) {
  int held = 0;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    std::vector<PostValue> values;
    for (std::uint32_t post = 0; post < 20; ++post) {
      const double shared = normals_from(random_block(6, Purpose::testing, draw, post, 0))[0];
      for (std::uint32_t i = 1; i <= 8; ++i) {
        const double own = normals_from(random_block(6, Purpose::testing, draw, post, i))[0];
        values.push_back({post, 3 + shared + 0.7 * own});
      }
    }
    const Mean mean = mean_over_posts(values, Weight::posts);
    held += mean.low <= 3 && 3 <= mean.high ? 1 : 0;
  }
  expect_coverage(held);
}

// As if the rows were independent, the interval would be half as wide.
TEST(Estimates, RowsOfAPostAreNotTakenToBeIndependent) {
  const auto values = make({.posts = 50, .most_rows = 16, .resemblance = 0.9}, 1);
  const Rate rate = rate_over_posts(values, Weight::posts);
  const Rate independent = wilson_interval(rate.rate * 800, 800);
  EXPECT_GT(rate.high - rate.low, 2 * (independent.high - independent.low));
}

// Their small variance would tell of more trials than there were rows.
TEST(Estimates, RatesNearZeroHaveNoMoreTrialsThanRows) {
  std::vector<PostValue> values;
  for (std::uint64_t post = 0; post < 20; ++post) {
    values.push_back({.post = post, .value = post == 0 ? 2e-4 : 1e-4});
  }
  const Rate rate = rate_over_posts(values, Weight::posts);
  EXPECT_NEAR(rate.rate, 1.05e-4, 1e-12);
  EXPECT_GT(rate.high, wilson_interval(0, 20).high);
  EXPECT_LT(rate.high, 0.2);
}

TEST(Estimates, OneOutcomeAPostGivesWilsonsInterval) {
  std::vector<PostValue> values;
  for (std::uint64_t post = 0; post < 263; ++post) {
    values.push_back({post, post < 81 ? 1.0 : 0.0});
  }
  const Rate found = rate_over_posts(values, Weight::posts);
  EXPECT_NEAR(found.low, 0.2553, 5e-5);  // Newcombe 1998, table I
  EXPECT_NEAR(found.high, 0.3662, 5e-5);
  const Rate none = rate_over_posts(std::vector<PostValue>{{1, 0}, {2, 0}, {3, 0}}, Weight::rows);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 0.5615, 5e-5);  // 0 of 3
  const std::vector<PostValue> ties(10, {4, 0.5});
  EXPECT_EQ(rate_over_posts(ties, Weight::rows).high, wilson_interval(0.5, 1).high);
}

void expect_bits(const Rate& a, const Rate& b) {
  EXPECT_EQ(a.rate, b.rate);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
}

// Values whose sums round: three times 0.1 is not 0.3.
std::vector<PostValue> awkward() {
  std::vector<PostValue> values;
  for (std::uint64_t post = 0; post < 7; ++post) {
    for (std::uint64_t i = 0; i <= post % 3; ++i) {
      values.push_back({post, 0.1 * static_cast<double>((3 * post + 2 * i) % 11)});
    }
  }
  return values;
}

TEST(Estimates, CopiesOfEveryRowAndTheOrderOfRowsChangeNoBit) {
  const auto once = awkward();
  for (const std::size_t copies : {1U, 2U, 3U, 7U, 16U}) {
    std::vector<PostValue> many;
    std::vector<double> numbers, numbers_once;
    for (std::size_t i = 0; i < copies * once.size(); ++i) {
      many.push_back(once[i % once.size()]);
    }
    const auto order =
        permutation(static_cast<std::int64_t>(many.size()), 1, Purpose::testing, copies);
    std::vector<PostValue> shuffled;
    for (const std::int64_t place : order) {
      shuffled.push_back(many[static_cast<std::size_t>(place)]);
      numbers.push_back(shuffled.back().value);
    }
    for (const PostValue& value : once) {
      numbers_once.push_back(value.value);
    }
    EXPECT_EQ(exact_mean(numbers), exact_mean(numbers_once));
    for (const Weight weight : {Weight::posts, Weight::rows}) {
      expect_bits(rate_over_posts(shuffled, weight), rate_over_posts(once, weight));
      const Mean mean = mean_over_posts(shuffled, weight);
      const Mean before = mean_over_posts(once, weight);
      expect_bits({mean.mean, mean.low, mean.high}, {before.mean, before.low, before.high});
    }
  }
}

TEST(Estimates, PostsOrRowsCountTheSame) {
  const std::vector<PostValue> values = {{1, 1}, {1, 1}, {1, 0}, {2, 0}};
  EXPECT_EQ(rate_over_posts(values, Weight::rows).rate, 0.5);
  EXPECT_NEAR(rate_over_posts(values, Weight::posts).rate, 1.0 / 3, 1e-15);
}

TEST(Estimates, OnePostHasNoIntervalOfItsMean) {
  const Mean mean = mean_over_posts(std::vector<PostValue>{{3, 1}, {3, 2}}, Weight::posts);
  EXPECT_EQ(mean.mean, 1.5);
  EXPECT_TRUE(std::isnan(mean.low) && std::isnan(mean.high));
  EXPECT_EQ(to_text(mean, 1), "1.5");
}

// Published tables of Student's distribution.
TEST(Estimates, StudentsPointsAreThoseOfTables) {
  EXPECT_NEAR(student_975(1), 12.7062, 1e-4);
  EXPECT_NEAR(student_975(2), 4.3027, 1e-4);
  EXPECT_NEAR(student_975(9), 2.2622, 1e-4);
  EXPECT_NEAR(student_975(30), 2.0423, 1e-4);
  EXPECT_NEAR(student_975(100), 1.9840, 1e-4);
  EXPECT_NEAR(student_975(101), 1.9837, 1e-4);
  EXPECT_NEAR(student_975(1000000), normal_975, 1e-5);
}

TEST(Estimates, IntervalsAreWrittenOneWay) {
  EXPECT_EQ(to_text(Rate{.rate = 0.637, .low = 0.594, .high = 0.678}), "0.637 (0.594 to 0.678)");
  EXPECT_EQ(to_text(Mean{.mean = -1, .low = -2.25, .high = 0.25}, 2), "-1.00 (-2.25 to 0.25)");
}

TEST(Estimates, TenOfTenTellTooLittle) {
  const Rate ten = wilson_interval(10, 10);
  EXPECT_TRUE(too_wide_to_tell(ten.low, ten.high));
  const Rate many = wilson_interval(31, 62);
  EXPECT_FALSE(too_wide_to_tell(many.low, many.high));
}

}  // namespace
}  // namespace precis
