// Sums over ranks have the bits of a serial sum in a tree, whatever the number of elements.
#include "parallel/tree_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/random.hpp"
#include "kernels/cpu/kernels.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"

namespace precis {
namespace {

/// What a rank gives: numbers whose sum depends on the order.
std::vector<float> given_by(int rank, std::size_t count) {
  RandomStream draws(5, Purpose::testing, static_cast<std::uint64_t>(rank));
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>((draws.uniform() - 0.5) * std::exp2(20 * draws.uniform()));
  }
  return values;
}

/// The sum over ranks [begin, end).
std::vector<float> tree(int begin, int end, std::size_t count) {
  if (end - begin == 1) {
    return given_by(begin, count);
  }
  const int middle = begin + (end - begin) / 2;
  std::vector<float> sum = tree(begin, middle, count);
  const std::vector<float> later = tree(middle, end, count);
  for (std::size_t i = 0; i < count; ++i) {
    sum[i] += later[i];
  }
  return sum;
}

TEST(TreeSum, HasTheBitsOfTheSerialTree) {
  RankGroup& world = test_session().world();
  MpiCommunicator ranks(world);
  Device device(cpu::backend);
  // Fewer than ranks, odd, several blocks.
  for (const std::size_t count : {0UL, 1UL, 3UL, 1001UL, (9UL << 20) + 7}) {
    std::vector<float> values = given_by(world.rank(), count);
    sum_in_tree(device, ranks, view_of(values));
    if (std::has_single_bit(static_cast<unsigned>(world.size()))) {
      EXPECT_EQ(values, tree(0, world.size(), count)) << count << " elements";
    } else {
      const auto expected = tree(0, world.size(), count);
      double largest = 0;
      for (std::size_t i = 0; i < count; ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(values[i] - expected[i])));
      }
      EXPECT_LE(largest, 1e-6 * std::exp2(20)) << count << " elements";
    }
  }
}

}  // namespace
}  // namespace precis
