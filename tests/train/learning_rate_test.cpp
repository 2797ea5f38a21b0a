#include "train/learning_rate.hpp"

#include <gtest/gtest.h>

namespace precis {
namespace {

TEST(LearningRate, WarmUpReachesThePeakAtItsLastStep) {
  const TrainOptions options{.warmup_steps = 4};
  EXPECT_DOUBLE_EQ(learning_rate(options, 0.8, 0, 10), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(options, 0.8, 3, 10), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate(options, 0.8, 4, 10), 0.8);
}

TEST(LearningRate, LinearFallsTowardsTheFinalRate) {
  const TrainOptions options{.schedule = Schedule::linear, .warmup_steps = 2, .final_rate = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 2, 12), 1);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 7, 12), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate(options, 1, 12, 12), 0.1);
}

TEST(LearningRate, CosineIsHalfwayInTheMiddle) {
  const TrainOptions options{.schedule = Schedule::cosine, .final_rate = 0.2};
  EXPECT_DOUBLE_EQ(learning_rate(options, 2, 0, 8), 2);
  EXPECT_DOUBLE_EQ(learning_rate(options, 2, 4, 8), 2 * 0.6);
  EXPECT_NEAR(learning_rate(options, 2, 2, 8), 2 * (0.2 + 0.8 * 0.8535533905932737), 1e-15);
}

TEST(LearningRate, ConstantStaysAndAnAllWarmUpRunDoesNotDivideByZero) {
  const TrainOptions constant{.schedule = Schedule::constant};
  EXPECT_DOUBLE_EQ(learning_rate(constant, 3, 7, 8), 3);
  const TrainOptions warmup{.schedule = Schedule::linear, .warmup_steps = 8};
  EXPECT_DOUBLE_EQ(learning_rate(warmup, 1, 8, 8), 1);
}

}  // namespace
}  // namespace precis
