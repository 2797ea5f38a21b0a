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
#include "parallel/owner_sum.hpp"

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

/// Uneven; rank 1 owns nothing if there are more than two.
std::vector<std::int64_t> bounds_of(std::int64_t count, int ranks) {
  std::vector<std::int64_t> bounds{0};
  for (int rank = 1; rank < ranks; ++rank) {
    bounds.push_back(rank == 2 ? bounds.back() : (count * rank + 1) / ranks);
  }
  bounds.push_back(count);
  return bounds;
}

class OwnerSums : public testing::Test {
 protected:
  RankGroup& world = test_session().world();
  MpiCommunicator ranks{world};
  Device device{cpu::backend};

  /// This rank's elements are the sum in a tree, the others are as they were.
  void expect_sums(const std::vector<float>& found, std::size_t begin, std::size_t count) {
    std::vector<float> expected = given_by(world.rank(), found.size());
    std::vector<float> sum(expected.begin() + static_cast<std::ptrdiff_t>(begin),
                           expected.begin() + static_cast<std::ptrdiff_t>(begin + count));
    sum_in_tree(device, ranks, view_of(sum));
    const auto bounds = bounds_of(static_cast<std::int64_t>(count), world.size());
    const auto me = static_cast<std::size_t>(world.rank());
    std::copy(sum.begin() + bounds[me], sum.begin() + bounds[me + 1],
              expected.begin() + static_cast<std::ptrdiff_t>(begin) + bounds[me]);
    const auto part = [&](const std::vector<float>& of) {
      return std::vector<float>(of.begin() + static_cast<std::ptrdiff_t>(begin),
                                of.begin() + static_cast<std::ptrdiff_t>(begin + count));
    };
    EXPECT_TRUE(part(found) == part(expected)) << count << " elements from " << begin;
  }
};

TEST_F(OwnerSums, HaveTheBitsOfTheTreeWithSeveralRangesOnTheWay) {
  const std::vector<std::size_t> counts{5, 1001, (9UL << 20) + 7, 1, 70'000};
  std::size_t all = 0;
  for (const std::size_t count : counts) {
    all += count;
  }
  OwnerSum sums(device, ranks, std::int64_t{10} << 20);
  for (int step = 0; step < 2; ++step) {
    std::vector<float> values = given_by(world.rank(), all);
    std::size_t begin = 0;
    for (const std::size_t count : counts) {
      auto bounds = bounds_of(static_cast<std::int64_t>(count), world.size());
      for (std::int64_t& bound : bounds) {
        bound += static_cast<std::int64_t>(begin);
      }
      sums.start(view_of(values), bounds);
      // Not all ranks look after it as often.
      for (int i = 0; i < world.rank(); ++i) {
        sums.test();
      }
      begin += count;
    }
    sums.wait();
    begin = 0;
    for (const std::size_t count : counts) {
      expect_sums(values, begin, count);
      begin += count;
    }
  }
}

TEST_F(OwnerSums, AtOnceAndGathered) {
  Workspace workspace(device);
  for (const std::size_t count : {1UL, 3UL, 1001UL, 200'000UL}) {
    std::vector<float> values = given_by(world.rank(), count);
    const auto bounds = bounds_of(static_cast<std::int64_t>(count), world.size());
    sum_to_owners(device, ranks, view_of(values), bounds, workspace);
    expect_sums(values, 0, count);
    gather_from_owners(device.queue(), ranks, view_of(values), bounds);
    std::vector<float> expected = given_by(world.rank(), count);
    sum_in_tree(device, ranks, view_of(expected));
    EXPECT_TRUE(values == expected) << count << " elements";
  }
}

}  // namespace
}  // namespace precis
