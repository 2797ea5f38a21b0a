// Exact sums over ranks: however the terms are divided, the bits of one rank's sum.
#include "parallel/exact_sum.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "parallel/mpi_test.hpp"

namespace precis {
namespace {

TEST(ExactSumOverRanks, HasTheBitsOfOneRank) {
  RankGroup& world = test_session().world();
  std::mt19937_64 random(1);  // the same on every rank
  std::normal_distribution<float> draw;
  for (int trial = 0; trial < 20; ++trial) {
    std::array<ExactSum, 2> whole;
    std::array<ExactSum, 2> mine;
    for (int i = 0; i < 1000; ++i) {
      const auto term =
          static_cast<double>(std::ldexp(draw(random), static_cast<int>(random() % 80)));
      const int owner = static_cast<int>(random() % static_cast<std::uint64_t>(world.size()));
      whole[0].add(term);
      whole[1].add(-term * term);
      if (owner == world.rank()) {
        mine[0].add(term);
        mine[1].add(-term * term);
      }
    }
    all_reduce(world, mine);
    EXPECT_EQ(mine, whole);
  }
}

TEST(ExactSumOverRanks, IsInfiniteIfOneRanksIs) {
  RankGroup& world = test_session().world();
  std::array<ExactSum, 1> sum;
  sum[0].add(world.rank() == world.size() - 1 ? std::numeric_limits<double>::infinity() : 1.0);
  all_reduce(world, sum);
  EXPECT_EQ(sum[0].value(), std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace precis
