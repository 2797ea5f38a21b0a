// Which mini-batch of an epoch an episode falls in.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "rlhf/learner.hpp"

namespace precis {
namespace {

TEST(MiniBatches, AreEqualParts) {
  for (const std::int64_t parts : {1, 2, 4, 8, 24}) {
    const auto found = mini_batches_of(24, parts, 1, 1, 0);
    ASSERT_EQ(found.size(), 24U);
    for (std::int64_t part = 0; part < parts; ++part) {
      EXPECT_EQ(std::count(found.begin(), found.end(), part), 24 / parts) << "part " << part;
    }
  }
}

TEST(MiniBatches, DependOnSeedStepAndEpochOnly) {
  const auto first = mini_batches_of(64, 4, 1, 1, 0);
  EXPECT_EQ(mini_batches_of(64, 4, 1, 1, 0), first);
  std::set<std::vector<std::int64_t>> all{first};
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    for (std::int64_t step = 1; step <= 3; ++step) {
      for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
        all.insert(mini_batches_of(64, 4, seed, step, epoch));
      }
    }
  }
  EXPECT_EQ(all.size(), 24U) << "every (seed, step, epoch) has an order of its own";
}

TEST(MiniBatches, MixTheBatch) {
  // Not the episodes in their order: neighbours would share prompts of one rank.
  const auto found = mini_batches_of(64, 2, 1, 1, 0);
  EXPECT_FALSE(std::is_sorted(found.begin(), found.end()));
}

}  // namespace
}  // namespace precis
