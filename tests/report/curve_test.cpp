// Curves: exact where they are short, extremes kept where they are long, smooth means known.
#include "report/curve.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace precis {
namespace {

TEST(Curve, AShortOneHasEveryPoint) {
  Curve curve;
  for (int i = 1; i <= 1000; ++i) {
    curve.add(i, i % 7);
  }
  const auto points = curve.points();
  ASSERT_EQ(points.x.size(), 1000U);
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(points.x[i], static_cast<double>(i + 1));
    EXPECT_EQ(points.y[i], static_cast<double>((i + 1) % 7));
  }
  EXPECT_EQ(curve.first().y, 1);
  EXPECT_EQ(curve.last().y, 1000 % 7);
  EXPECT_EQ(curve.largest().x, 6);
  EXPECT_EQ(curve.smallest().x, 7);
}

TEST(Curve, ALongOneKeepsSpikesAndOrder) {
  Curve curve;
  constexpr int steps = 1000000;
  for (int i = 0; i < steps; ++i) {
    curve.add(i, i == 123456 ? 50 : i == 654321 ? -50 : std::sin(1e-4 * i));
  }
  const auto points = curve.points();
  EXPECT_LE(points.x.size(), Curve::most_points);
  EXPECT_GT(points.x.size(), Curve::most_points / 3);
  EXPECT_TRUE(std::ranges::is_sorted(points.x));
  const auto largest = std::ranges::max_element(points.y) - points.y.begin();
  const auto smallest = std::ranges::min_element(points.y) - points.y.begin();
  EXPECT_EQ(points.x[static_cast<std::size_t>(largest)], 123456);
  EXPECT_EQ(points.y[static_cast<std::size_t>(largest)], 50);
  EXPECT_EQ(points.x[static_cast<std::size_t>(smallest)], 654321);
  EXPECT_EQ(curve.count(), steps);
}

TEST(Curve, SmoothingAveragesNoiseAndKeepsTheMean) {
  Curve curve;
  for (int i = 0; i < 400; ++i) {
    curve.add(i, i % 2 == 0 ? 1 : -1);
  }
  const auto smooth = curve.smoothed(0.02);
  ASSERT_EQ(smooth.y.size(), 400U);
  for (std::size_t i = 40; i < 360; ++i) {
    EXPECT_NEAR(smooth.y[i], 0, 0.01);
  }
  Curve constant;
  for (int i = 0; i < 5000; ++i) {
    constant.add(i, 3);
  }
  for (const double y : constant.smoothed(0.02).y) {
    EXPECT_NEAR(y, 3, 1e-12);
  }
}

// Against the plain double loop over single points.
TEST(Curve, SmoothingIsTheGaussianMean) {
  Curve curve;
  for (int i = 0; i < 100; ++i) {
    curve.add(i, i * i % 17);
  }
  const auto smooth = curve.smoothed(0.05);
  const double deviation = 0.05 * 99;
  for (int i = 0; i < 100; ++i) {
    double weights = 0;
    double sum = 0;
    for (int k = 0; k < 100; ++k) {
      if (std::abs(k - i) <= 3 * deviation) {
        const double weight = std::exp(-0.5 * (k - i) * (k - i) / (deviation * deviation));
        weights += weight;
        sum += weight * (k * k % 17);
      }
    }
    EXPECT_NEAR(smooth.y[static_cast<std::size_t>(i)], sum / weights, 1e-9) << i;
  }
}

TEST(Curve, TheMeanOfItsEnd) {
  Curve curve;
  for (int i = 1; i <= 100; ++i) {
    curve.add(i, i);
  }
  EXPECT_DOUBLE_EQ(curve.mean_from(91), 95.5);
  EXPECT_DOUBLE_EQ(curve.mean_from(1), 50.5);
  EXPECT_DOUBLE_EQ(curve.mean_from(1000), 100) << "nothing is there: the last value";
}

TEST(Curve, WhatIsNotFiniteIsCountedOnly) {
  Curve curve;
  curve.add(1, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(curve.count(), 0);
  EXPECT_TRUE(curve.points().x.empty());
  EXPECT_TRUE(curve.smoothed(0.1).x.empty());
  curve.add(2, 5);
  curve.add(3, std::numeric_limits<double>::infinity());
  EXPECT_EQ(curve.count(), 1);
  EXPECT_EQ(curve.not_finite(), 2);
  EXPECT_EQ(curve.last().x, 2);
  EXPECT_EQ(curve.smoothed(0.1).y.at(0), 5);
}

}  // namespace
}  // namespace precis
