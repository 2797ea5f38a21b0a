#include "eval/length_control.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.hpp"
#include "eval/win_count.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

double logit(double p) { return std::log(p / (1 - p)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// `wins` of `count` comparisons at one ratio.
void add(std::vector<LengthObservation>& to, double log_ratio, int wins, int count) {
  for (int i = 0; i < count; ++i) {
    to.push_back({.win = i < wins ? 1.0 : 0.0, .log_ratio = log_ratio, .post = to.size()});
  }
}

// With two ratios the regression goes through both shares, so its intercept is known.
TEST(EqualLength, GoesThroughTwoShares) {
  std::vector<LengthObservation> of;
  add(of, 1, 80, 100);
  add(of, -0.5, 30, 100);
  const EqualLength found = win_rate_at_equal_length(of, Weight::rows);
  ASSERT_TRUE(found.rate);
  const double slope = (logit(0.8) - logit(0.3)) / 1.5;
  const double intercept = logit(0.8) - slope;
  EXPECT_NEAR(found.slope, slope, 1e-9);
  EXPECT_NEAR(found.rate->rate, sigmoid(intercept), 1e-9);
  // The intercept is (logit(0.8) + 2 logit(0.3)) / 3; each logit has variance 1 / (n p (1-p)). In
  // the jackknife a post takes a hundredth of its ratio's information with it.
  const double variance = (1 / (100 * 0.16) + 4 / (100 * 0.21)) / 9 * std::pow(100.0 / 99, 2);
  const double half = student_975(199) * std::sqrt(variance * 199 / 200);
  EXPECT_NEAR(found.rate->low, sigmoid(intercept - half), 1e-6);
  EXPECT_NEAR(found.rate->high, sigmoid(intercept + half), 1e-6);
}

struct Made {
  double rate = 0.5;  ///< at equal length
  double slope = 0;
  double mean_log_ratio = 0;
};

std::vector<LengthObservation> make(const Made& made, int count, std::uint64_t seed) {
  std::vector<LengthObservation> of;
  for (int i = 0; i < count; ++i) {
    RandomStream random(seed, Purpose::testing, static_cast<std::uint64_t>(i));
    const double x = made.mean_log_ratio + random.uniform() - 0.5;
    const bool win = random.chance(sigmoid(logit(made.rate) + made.slope * x));
    of.push_back({.win = win ? 1.0 : 0.0, .log_ratio = x, .post = of.size()});
  }
  return of;
}

// a writes longer summaries and the judge loves length: a wins most, and at equal length half.
TEST(EqualLength, TakesOutAJudgesLoveOfLength) {
  const auto of = make({.rate = 0.5, .slope = 3, .mean_log_ratio = 0.5}, 20000, 1);
  double wins = 0;
  for (const auto& one : of) {
    wins += one.win;
  }
  EXPECT_GT(wins / 20000, 0.75);
  const EqualLength found = win_rate_at_equal_length(of, Weight::rows);
  EXPECT_NEAR(found.rate->rate, 0.5, 0.03);
  EXPECT_NEAR(found.slope, 3, 0.2);
}

TEST(EqualLength, NineteenOfTwentyIntervalsHoldTheTruth) {
  int held = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto of = make({.rate = 0.62, .slope = -1, .mean_log_ratio = 0.3}, 300, seed);
    const EqualLength found = win_rate_at_equal_length(of, Weight::rows);
    ASSERT_TRUE(found.rate);
    held += found.rate->low <= 0.62 && 0.62 <= found.rate->high ? 1 : 0;
  }
  // 380 with a deviation of 4.4
  EXPECT_GE(held, 366);
  EXPECT_LE(held, 394);
}

TEST(EqualLength, NineteenOfTwentyIntervalsOfCorrelatedSamplesHoldTheTruth) {
  constexpr int draws = 2000;
  int held = 0;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    RandomStream random(4, Purpose::testing, draw);
    std::vector<LengthObservation> of;
    for (std::uint64_t post = 0; post < 40; ++post) {
      const double shared = random.uniform();
      const double x = random.uniform() - 0.3;
      for (int i = 0; i < 6; ++i) {
        const double ratio = x + 0.4 * random.uniform();
        const double own = random.uniform();
        const double drawn = random.chance(0.5) ? shared : own;
        of.push_back(
            {.win = drawn < sigmoid(0.4 - ratio) ? 1.0 : 0.0, .log_ratio = ratio, .post = post});
      }
    }
    const EqualLength found = win_rate_at_equal_length(of, Weight::posts);
    ASSERT_TRUE(found.rate);
    held += found.rate->low <= sigmoid(0.4) && sigmoid(0.4) <= found.rate->high ? 1 : 0;
  }
  EXPECT_GE(held, draws * 93 / 100);
  EXPECT_LE(held, draws * 97 / 100);
}

TEST(EqualLength, CopiesOfEachComparisonChangeNoBit) {
  auto once = make({.rate = 0.6, .slope = 1}, 200, 3);
  for (std::size_t i = 0; i < once.size(); ++i) {
    once[i].post = i / 3;
  }
  for (const int copies : {3, 16}) {
    std::vector<LengthObservation> repeated;
    for (int k = 0; k < copies; ++k) {
      repeated.insert(repeated.end(), once.rbegin(), once.rend());
    }
    for (const Weight weight : {Weight::posts, Weight::rows}) {
      EXPECT_EQ(to_json(win_rate_at_equal_length(repeated, weight)),
                to_json(win_rate_at_equal_length(once, weight)));
    }
  }
}

TEST(EqualLength, TiesAreHalves) {
  std::vector<LengthObservation> of;
  for (const double x : {-0.4, -0.1, 0.2, 0.3}) {
    of.push_back({.win = 0.5, .log_ratio = x, .post = of.size()});
  }
  const EqualLength found = win_rate_at_equal_length(of, Weight::rows);
  ASSERT_TRUE(found.rate);
  EXPECT_NEAR(found.rate->rate, 0.5, 1e-12);
  EXPECT_NEAR(found.slope, 0, 1e-12);
  EXPECT_LT(found.rate->low, 0.2);  // four comparisons tell little
}

TEST(EqualLength, SaysWhyThereIsNoRate) {
  std::vector<LengthObservation> wins;
  add(wins, 0.1, 5, 5);
  add(wins, -0.2, 5, 5);
  EXPECT_THAT(win_rate_at_equal_length(wins, Weight::rows).reason, HasSubstr("a wins every"));

  std::vector<LengthObservation> longer;
  add(longer, 0.1, 5, 5);
  add(longer, 0.3, 5, 5);
  add(longer, -0.2, 0, 5);
  EXPECT_THAT(win_rate_at_equal_length(longer, Weight::rows).reason,
              HasSubstr("the longer summary wins"));
  add(longer, 0.1, 0, 1);  // meets, and still does not overlap
  EXPECT_THAT(win_rate_at_equal_length(longer, Weight::rows).reason,
              HasSubstr("the longer summary wins"));
  add(longer, 0.2, 0, 1);
  EXPECT_TRUE(win_rate_at_equal_length(longer, Weight::rows).rate);

  std::vector<LengthObservation> same;
  add(same, 0.4, 3, 9);
  EXPECT_EQ(
      win_rate_at_equal_length(same, Weight::rows).reason,
      "every summary of a is 1.49 times as long as b's, so there are no pairs of equal length");
  EXPECT_FALSE(win_rate_at_equal_length({}, Weight::rows).rate);

  std::vector<LengthObservation> two_posts;
  add(two_posts, 0.4, 3, 9);
  add(two_posts, -0.4, 3, 9);
  for (LengthObservation& one : two_posts) {
    one.post %= 2;
  }
  EXPECT_THAT(win_rate_at_equal_length(two_posts, Weight::rows).reason, HasSubstr("of 2 posts"));
  EXPECT_THAT(to_text(win_rate_at_equal_length(same, Weight::rows)),
              HasSubstr("no win rate can be given"));
}

TEST(EqualLength, SaysWhereAllRatiosLieOnOneSideOfOne) {
  // a's summary is always the longer one, and wins where it is the less long.
  std::vector<LengthObservation> of;
  add(of, std::log(1.36), 5, 5);
  add(of, std::log(1.43), 0, 5);
  const auto reason = [&](const SideNames& names) {
    return win_rate_at_equal_length(of, Weight::rows, names).reason;
  };
  EXPECT_EQ(
      reason({.a = "PPO", .b = "SFT"}),
      "every summary of PPO is 1.36 to 1.43 times as long as SFT's, so there are no pairs of equal "
      "length");
  for (LengthObservation& one : of) {
    one.log_ratio = -one.log_ratio;
  }
  EXPECT_EQ(
      reason({.a = "the references", .b = "PPO"}),
      "every summary of PPO is 1.36 to 1.43 times as long as the references', so there are no "
      "pairs of equal length");
  add(of, 0, 5, 5);  // reaches equal length
  EXPECT_EQ(
      reason({}),
      "the longer summary wins wherever lengths differ enough, so that length alone separates "
      "wins from losses");
}

TEST(EqualLength, OfEqualLengthsIsThePlainRate) {
  std::vector<LengthObservation> of;
  add(of, 0, 81, 263);
  const EqualLength found = win_rate_at_equal_length(of, Weight::rows);
  EXPECT_NEAR(found.rate->low, 0.2553, 5e-5);  // Newcombe 1998
  EXPECT_NEAR(found.rate->high, 0.3662, 5e-5);
}

// One outlier keeps the data from being separated; the numbers are NumPy's.
TEST(EqualLength, FindsTheMaximumOfAlmostSeparatedData) {
  std::vector<LengthObservation> of;
  add(of, 0.1, 50, 50);
  add(of, -0.1, 0, 50);
  add(of, 3, 0, 1);
  const EqualLength found = win_rate_at_equal_length(of, Weight::rows);
  ASSERT_TRUE(found.rate);
  EXPECT_NEAR(found.rate->rate, sigmoid(-0.04763237), 1e-8);
  EXPECT_NEAR(found.slope, 8.47751674, 1e-7);
}

TEST(WinCount, CountsAndTakesLengthsInWords) {
  const std::vector<PairOutcome> pairs = {{.margin = 1, .words_a = 20, .words_b = 10, .post = 0},
                                          {.margin = 0, .words_a = 0, .words_b = 1, .post = 1},
                                          {.margin = -2, .words_a = 20, .words_b = 10, .post = 2},
                                          {.margin = 1, .words_a = 10, .words_b = 20, .post = 3}};
  const WinCount count = count_wins(pairs, Weight::rows);
  EXPECT_EQ(count.wins, 2);
  EXPECT_EQ(count.ties, 1);
  EXPECT_EQ(count.losses, 1);
  EXPECT_EQ(count.win_rate.rate, 2.5 / 4);
  ASSERT_TRUE(count.equal_length.rate);
  EXPECT_LT(count.equal_length.slope, 0);
  EXPECT_EQ(log_length_ratio(20, 10), std::log(2.0));
  EXPECT_EQ(log_length_ratio(0, 1), 0);
}

}  // namespace
}  // namespace precis
