#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace precis {
namespace {

TEST(Random, BlockIsPhilox4x32With10Rounds) {
  // Random123's kat_vectors: counter 0, key 0; and all bits set.
  const RandomBlock zero{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  EXPECT_EQ(random_block(0, Purpose{0}, 0, 0, 0), zero);
  const RandomBlock ones{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  EXPECT_EQ(
      random_block(~std::uint64_t{0}, Purpose{0xffff}, 0xffffffffffff, 0xffffffff, 0xffffffff),
      ones);
}

TEST(Random, EveryPartOfTheCounterMatters) {
  std::set<RandomBlock> blocks;
  blocks.insert(random_block(1, Purpose::sampling, 1, 1, 1));
  blocks.insert(random_block(2, Purpose::sampling, 1, 1, 1));
  blocks.insert(random_block(std::uint64_t{1} << 32 | 1, Purpose::sampling, 1, 1, 1));
  blocks.insert(random_block(1, Purpose::row_shuffle, 1, 1, 1));
  blocks.insert(random_block(1, Purpose::sampling, 2, 1, 1));
  blocks.insert(random_block(1, Purpose::sampling, std::uint64_t{1} << 32 | 1, 1, 1));
  blocks.insert(random_block(1, Purpose::sampling, 1, 2, 1));
  blocks.insert(random_block(1, Purpose::sampling, 1, 1, 2));
  EXPECT_EQ(blocks.size(), 8U);
}

TEST(Random, UniformsStayInsideAndFillTheInterval) {
  EXPECT_GT(uniform_from(0, 0), 0.0);
  EXPECT_LT(uniform_from(0xffffffff, 0xffffffff), 1.0);
  RandomStream stream(1, Purpose::testing, 0);
  constexpr int draws = 20000;
  std::array<int, 10> counts{};
  for (int i = 0; i < draws; ++i) {
    ++counts[static_cast<std::size_t>(stream.uniform() * 10)];
  }
  double chi_square = 0;
  for (const int count : counts) {
    chi_square += std::pow(count - draws / 10.0, 2) / (draws / 10.0);
  }
  EXPECT_LT(chi_square, 27.9);  // the 0.999 quantile of chi-square with 9 degrees of freedom
}

TEST(Random, BelowIsUniform) {
  RandomStream stream(2, Purpose::testing, 0);
  constexpr int draws = 21000;
  std::array<int, 7> counts{};
  for (int i = 0; i < draws; ++i) {
    const auto value = stream.below(7);
    ASSERT_LT(value, 7U);
    ++counts[value];
  }
  double chi_square = 0;
  for (const int count : counts) {
    chi_square += std::pow(count - draws / 7.0, 2) / (draws / 7.0);
  }
  EXPECT_LT(chi_square, 22.5);  // 0.999 with 6 degrees of freedom
}

TEST(Random, NormalsHaveMeanZeroAndDeviationOne) {
  double sum = 0;
  double squares = 0;
  constexpr int blocks = 20000;
  for (std::uint32_t i = 0; i < blocks; ++i) {
    for (const double value : normals_from(random_block(1, Purpose::testing, 1, 0, i))) {
      sum += value;
      squares += value * value;
    }
  }
  EXPECT_NEAR(sum / (2 * blocks), 0, 4 / std::sqrt(2.0 * blocks));
  EXPECT_NEAR(squares / (2 * blocks), 1, 4 * std::sqrt(2.0 / (2 * blocks)));
}

TEST(Random, StreamIsAFunctionOfItsPlace) {
  RandomStream a(5, Purpose::testing, 9);
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(a.next());
  }
  RandomStream b = a;
  EXPECT_EQ(a.next(), b.next());
  RandomStream other(5, Purpose::testing, 10);
  EXPECT_NE(RandomStream(5, Purpose::testing, 9).next(), other.next());
}

TEST(Random, PermutationHoldsEveryNumberOnce) {
  for (const std::int64_t n : {0, 1, 2, 1000}) {
    auto order = permutation(n, 1, Purpose::row_shuffle, 0);
    EXPECT_EQ(order, permutation(n, 1, Purpose::row_shuffle, 0));
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
    }
    ASSERT_EQ(static_cast<std::int64_t>(order.size()), n);
  }
  EXPECT_NE(permutation(1000, 1, Purpose::row_shuffle, 0),
            permutation(1000, 1, Purpose::row_shuffle, 1));
  EXPECT_NE(permutation(1000, 1, Purpose::row_shuffle, 0),
            permutation(1000, 2, Purpose::row_shuffle, 0));
}

TEST(Random, PermutationsOfThreeAreEquallyLikely) {
  std::map<std::vector<std::int64_t>, int> counts;
  constexpr int draws = 6000;
  for (std::uint64_t episode = 0; episode < draws; ++episode) {
    ++counts[permutation(3, 1, Purpose::testing, episode)];
  }
  ASSERT_EQ(counts.size(), 6U);
  double chi_square = 0;
  for (const auto& [order, count] : counts) {
    chi_square += std::pow(count - 1000.0, 2) / 1000.0;
  }
  EXPECT_LT(chi_square, 20.5);  // 0.999 with 5 degrees of freedom
}

TEST(Random, NameNumbersFitTheEpisode) {
  EXPECT_NE(name_number("blocks/000/mlp/up/weight"), name_number("blocks/001/mlp/up/weight"));
  EXPECT_LT(name_number("embedding/token"), std::uint64_t{1} << 48);
}

}  // namespace
}  // namespace precis
