// Floors, medians and the table of `precis bench`.
#include "bench/measure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cpu/kernels.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

constexpr Ceilings ceilings{.bytes_per_second = 1e9, .flop_per_second = 1e12, .product_size = 512};

TEST(Measure, TheFloorIsTheSlowerOfBothCeilings) {
  EXPECT_DOUBLE_EQ(floor_seconds({.flop = 2e12, .bytes = 1e9}, ceilings), 2.0);
  EXPECT_DOUBLE_EQ(floor_seconds({.flop = 2e12, .bytes = 3e9}, ceilings), 3.0);
}

TEST(Measure, MedianAndSpread) {
  const Measurement odd{.name = "a", .work = {}, .tokens = 0, .seconds = {4, 1, 2}};
  EXPECT_DOUBLE_EQ(odd.median(), 2);
  EXPECT_DOUBLE_EQ(odd.spread(), 0.25);
  const Measurement even{.name = "b", .work = {}, .tokens = 0, .seconds = {1, 4, 2, 3}};
  EXPECT_DOUBLE_EQ(even.median(), 2.5);
}

TEST(Measure, TheTableHasUnits) {
  const Measurement results[] = {
      {.name = "by products", .work = {4e9, 1e6}, .tokens = 0, .seconds = {0.008}},
      {.name = "by bytes", .work = {0, 5e5}, .tokens = 0, .seconds = {0.001}},
      {.name = "by tokens", .work = {1e12, 0}, .tokens = 2500, .seconds = {2}}};
  const std::string text = to_text(ceilings, results);
  EXPECT_THAT(text, HasSubstr("copy 1.00 GB/s (bytes read and written), products 1.00 TFLOP/s"));
  EXPECT_THAT(text,
              testing::ContainsRegex("by products +8.00 ms +1.00 +500 GFLOP/s +4.00 ms +0.500\n"));
  EXPECT_THAT(text, testing::ContainsRegex("by bytes +1.00 ms +1.00 +500 MB/s +500 us +0.500\n"));
  EXPECT_THAT(text,
              testing::ContainsRegex("by tokens +2.00 s +1.00 +1,250 tokens/s +1.00 s +0.500\n"));
}

TEST(Measure, AShortCallIsMadeSeveralTimesARepeat) {
  Device device(cpu::backend);
  int repeats = 0;
  int calls = 0;
  const Timing timing(device, 3, [&] { ++repeats; });
  EXPECT_EQ(timing.seconds([&] { ++calls; }).size(), 3U);
  EXPECT_EQ(repeats, 3);
  EXPECT_EQ(calls, 2 + 3 * 1000);
}

TEST(Measure, RandomTensorsDifferAndAreNormal) {
  Device device(cpu::backend);
  RandomTensors random(device, 1);
  const auto a = device.to_host<float>(random.make({3, 1000}, DType::f32).view());
  const auto b = device.to_host<float>(random.make({3000}, DType::f32).view());
  EXPECT_NE(a, b);
  double squares = 0;
  for (const float x : a) {
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  EXPECT_NEAR(squares / 3000, 1, 0.1);
}

}  // namespace
}  // namespace precis
