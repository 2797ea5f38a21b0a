// The exact sum: the same bits in any order, the nearest double, and what is not finite.
#include "kernels/exact_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace precis {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr double inf = std::numeric_limits<double>::infinity();

std::vector<float> normal(std::size_t count, std::mt19937_64& random) {
  std::normal_distribution<float> draw;
  std::vector<float> out(count);
  std::generate(out.begin(), out.end(), [&] { return draw(random); });
  return out;
}

ExactSum sum_of(const std::vector<double>& terms) {
  ExactSum sum;
  for (const double term : terms) {
    sum.add(term);
  }
  return sum;
}

TEST(ExactSum, OfAMillionSquaresInAThousandOrders) {
  std::mt19937_64 random(1);
  auto x = normal(1'000'000, random);
  Wide expected = 0;  // in units of 2^-98
  for (float& value : x) {
    // Below, a square would have bits that the integer has not.
    value = std::abs(value) < 0x1p-26F ? 0.0F : value;
    const auto multiple = static_cast<std::uint64_t>(std::ldexp(std::abs(value), 49));
    expected += Wide{multiple} * multiple;
  }
  ExactSum whole;
  whole.add_squares(x);
  EXPECT_EQ(whole.value(), std::ldexp(static_cast<double>(expected), -98));

  for (int order = 0; order < 1000; ++order) {
    if (order % 25 == 0) {
      std::shuffle(x.begin(), x.end(), random);
    }
    // Pieces of random lengths in a random order, each added to one of three sums, which are then
    // merged in a random order.
    std::vector<std::pair<std::size_t, std::size_t>> pieces;
    for (std::size_t begin = 0; begin < x.size();) {
      const std::size_t end = std::min<std::size_t>(x.size(), begin + 1 + random() % 100'000);
      pieces.emplace_back(begin, end);
      begin = end;
    }
    std::shuffle(pieces.begin(), pieces.end(), random);
    std::array<ExactSum, 3> parts;
    for (const auto& [begin, end] : pieces) {
      parts[random() % 3].add_squares(std::span(x).subspan(begin, end - begin));
    }
    std::shuffle(parts.begin(), parts.end(), random);
    parts[0].merge(parts[1]);
    parts[2].merge(parts[0]);
    ASSERT_EQ(parts[2], whole) << "order " << order;
  }
}

TEST(ExactSum, CancelsToTheLastBit) {
  std::mt19937_64 random(2);
  auto x = normal(20'001, random);
  for (std::size_t i = 0; i < 10'000; ++i) {
    x[10'000 + i] = -x[i];
  }
  x[20'000] = 0x1p-149F;
  std::shuffle(x.begin(), x.end(), random);
  ExactSum sum;
  sum.add(std::span<const float>(x));
  EXPECT_EQ(sum.value(), 0x1p-149);
  EXPECT_EQ(sum, sum_of({0x1p-149}));
  EXPECT_EQ(sum_of({1e300, 1.0, -1e300, 1e-300, -1.0}).value(), 1e-300);
  EXPECT_EQ(sum_of({-3.5, 3.5}), ExactSum());
  EXPECT_EQ(sum_of({1.5, -4.0}).value(), -2.5);
  EXPECT_EQ(sum_of({1.5, -4.0}).negated(), sum_of({-1.5, 4.0}));
}

TEST(ExactSum, HoldsEveryDouble) {
  constexpr double most = std::numeric_limits<double>::max();
  constexpr double least = std::numeric_limits<double>::denorm_min();
  for (const double x : {0.0, least, -least, 3 * least, 2.3e-308, 1e-30, 1.0, -0.1, 1e30, most}) {
    EXPECT_EQ(sum_of({x}).value(), x);
    EXPECT_EQ(sum_of({x, -x}), ExactSum());
  }
  EXPECT_EQ(sum_of({most, least, -most}).value(), least);
  EXPECT_EQ(sum_of({most, most}).value(), inf);
  EXPECT_EQ(sum_of({-most, -most}).value(), -inf);
  EXPECT_EQ(sum_of({most, most, -most}).value(), most);
}

TEST(ExactSum, RoundsOnceToNearestEven) {
  constexpr double ulp = 0x1p-52;
  EXPECT_EQ(sum_of({1.0, ulp / 2}).value(), 1.0);
  EXPECT_EQ(sum_of({1.0, ulp / 2, 0x1p-1074}).value(), 1.0 + ulp);
  EXPECT_EQ(sum_of({1.0, ulp, ulp / 2}).value(), 1.0 + 2 * ulp);
  EXPECT_EQ(sum_of({1.0, ulp, ulp / 2, -0x1p-1074}).value(), 1.0 + ulp);
  EXPECT_EQ(sum_of({-1.0, -ulp / 2, -0x1p-200}).value(), -1.0 - ulp);
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 10'000; ++trial) {
    // Two terms: the processor rounds their sum once too.
    const auto draw = [&] {
      const auto fraction = static_cast<double>(static_cast<std::int64_t>(random()));
      return std::ldexp(fraction, static_cast<int>(random() % 130));
    };
    const double a = draw();
    const double b = draw();
    ASSERT_EQ(sum_of({a, b}).value(), a + b) << a << " and " << b;
  }
}

TEST(ExactSum, OfFloatsOfEveryExponent) {
  std::mt19937_64 random(4);
  std::vector<float> x;
  while (x.size() < 200'000) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isfinite(value)) {
      x.push_back(value);
    }
  }
  ExactSum sum;
  ExactSum squares;
  sum.add(std::span<const float>(x));
  squares.add_squares(x);
  ExactSum one_by_one;
  ExactSum squares_one_by_one;
  for (const float value : x) {
    const auto wide = static_cast<double>(value);
    one_by_one.add(wide);
    squares_one_by_one.add(wide * wide);  // exact
  }
  EXPECT_EQ(sum, one_by_one);
  EXPECT_EQ(squares, squares_one_by_one);
}

TEST(ExactSum, OfManyEqualTermsDoesNotOverflow) {
  const std::vector<float> x(300'000, -std::numeric_limits<float>::max());
  ExactSum sum;
  ExactSum squares;
  sum.add(std::span<const float>(x));
  squares.add_squares(x);
  const auto most = static_cast<double>(x[0]);
  EXPECT_EQ(sum.value(), most * 300'000);
  EXPECT_EQ(squares.value(), most * most * 300'000);
}

TEST(ExactSum, OfTermsThatAreNotFiniteIsWhatAddingThemGives) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const auto expect_value = [](const ExactSum& sum, double expected) {
    EXPECT_TRUE(sum.value() == expected || (std::isnan(sum.value()) && std::isnan(expected)))
        << sum.value() << " for " << expected;
  };
  for (const float odd : {infinity, -infinity, std::nanf(""), -std::nanf("")}) {
    const auto wide = static_cast<double>(odd);
    const std::vector<float> x{1.0F, odd, 2.0F, odd};
    ExactSum sum;
    ExactSum squares;
    sum.add(std::span<const float>(x));
    squares.add_squares(x);
    expect_value(sum, wide);
    expect_value(squares, wide * wide);
    expect_value(sum.negated(), -wide);
    expect_value(sum_of({wide, 1.0, wide}), wide);
    ExactSum merged = sum_of({1.0});
    merged.merge(sum);
    expect_value(merged, wide);
    merged.merge(sum);
    expect_value(merged, wide);
    EXPECT_EQ(merged.words()[0], sum.words()[0]);  // however often, and however cut
  }
  for (const auto& mixture :
       {std::vector<float>{infinity, -infinity}, std::vector<float>{infinity, std::nanf("")}}) {
    ExactSum sum;
    sum.add(std::span<const float>(mixture));
    EXPECT_TRUE(std::isnan(sum.value()));
  }
}

}  // namespace
}  // namespace precis
