// Axes: round ticks within the range, whatever the range.
#include "page/axis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace precis {
namespace {

using testing::ElementsAre;

std::vector<std::string> texts(const std::vector<Tick>& ticks) {
  std::vector<std::string> out;
  for (const Tick& tick : ticks) {
    out.push_back(tick.text);
  }
  return out;
}

TEST(LinearTicks, AreRoundNumbersInOneUnit) {
  EXPECT_THAT(texts(linear_ticks({0, 1}, 5)), ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(texts(linear_ticks({-0.6, 0.6}, 5)),
              ElementsAre("-0.6", "-0.4", "-0.2", "0", "0.2", "0.4", "0.6"));
  EXPECT_THAT(texts(linear_ticks({0, 1800}, 6)), ElementsAre("0", "500", "1000", "1500"));
  EXPECT_THAT(texts(linear_ticks({0, 30000}, 3)), ElementsAre("0", "10k", "20k", "30k"));
  EXPECT_THAT(texts(linear_ticks({0, 4e6}, 4)), ElementsAre("0", "1M", "2M", "3M", "4M"));
  EXPECT_THAT(texts(linear_ticks({0, 2e-6}, 2)), ElementsAre("0", "1e-6", "2e-6"));
}

TEST(LinearTicks, AreInAnyRangeInOrderAndTellApart) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 20000; ++i) {
    const double low = normal(random) * std::pow(10, 4 * normal(random));
    const double width = std::abs(normal(random)) * std::pow(10, 4 * normal(random));
    if (width < 1e-6 * std::abs(low)) {
      continue;
    }
    const auto ticks = linear_ticks({low, low + width}, 5);
    ASSERT_GE(ticks.size(), 2U) << low << " " << width;
    ASSERT_LE(ticks.size(), 11U);
    for (std::size_t k = 0; k < ticks.size(); ++k) {
      ASSERT_GE(ticks[k].value, low - 1e-6 * width);
      ASSERT_LE(ticks[k].value, low + width * (1 + 1e-6));
      ASSERT_TRUE(k == 0 || ticks[k].value > ticks[k - 1].value);
    }
  }
}

TEST(LinearTicks, OfImpossibleRangesAreNone) {
  EXPECT_TRUE(linear_ticks({1, 1}, 5).empty());
  EXPECT_TRUE(linear_ticks({2, 1}, 5).empty());
  EXPECT_TRUE(linear_ticks({-1e308, 1e308}, 5).empty());
  EXPECT_TRUE(linear_ticks({0, std::nan("")}, 5).empty());
  EXPECT_LE(linear_ticks({1e16, 1e16 + 4}, 5).size(), 11U);
}

TEST(LogarithmicTicks, ArePowersOfTenOrBetweenThem) {
  EXPECT_THAT(texts(logarithmic_ticks({1, 100}, 5)),
              ElementsAre("1", "2", "5", "10", "20", "50", "100"));
  EXPECT_THAT(texts(logarithmic_ticks({1e-4, 1}, 5)),
              ElementsAre("0.0001", "0.001", "0.01", "0.1", "1"));
  EXPECT_LE(logarithmic_ticks({1e-300, 1e300}, 5).size(), 12U);
}

TEST(Scale, MapsEndsAndClampsBeyond) {
  const Scale scale({10, 20}, false, 100, 0);
  EXPECT_DOUBLE_EQ(scale(10), 100);
  EXPECT_DOUBLE_EQ(scale(15), 50);
  EXPECT_DOUBLE_EQ(scale(30), 0);
  const Scale logarithmic({1, 100}, true, 0, 10);
  EXPECT_DOUBLE_EQ(logarithmic(10), 5);
}

TEST(Comfortable, BeginsAtZeroOrLeavesAMargin) {
  EXPECT_EQ(comfortable({0.1, 1}, false).low, 0);
  EXPECT_LT(comfortable({0.9, 1}, false).low, 0.9);
  EXPECT_GT(comfortable({0.9, 1}, false).low, 0.8);
  EXPECT_LT(comfortable({-1, 1}, false).low, -1);
  for (const double value : {0.0, 5.0, -5.0, 1e-300}) {
    const Range range = comfortable({value, value}, false);
    EXPECT_LT(range.low, range.high) << value;
    EXPECT_LE(range.low, value);
    EXPECT_GE(range.high, value);
  }
}

}  // namespace
}  // namespace precis
