#include "data/packing.hpp"

#include "base/error.hpp"
#include "data/step_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace precis {
namespace {

using ::testing::ElementsAre;

TEST(Packing, SequencesEndToEnd) {
  PackedBatch batch;
  EXPECT_EQ(batch.sequences(), 0);
  batch.append(std::vector<std::int32_t>{5, 6}, std::vector<std::int32_t>{7});
  batch.append(std::vector<std::int32_t>{8});
  EXPECT_THAT(batch.tokens, ElementsAre(5, 6, 7, 8));
  EXPECT_THAT(batch.offsets, ElementsAre(0, 3, 4));
  EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 0));
  EXPECT_EQ(batch.sequences(), 2);
}

TEST(Packing, MicroBatchesKeepOrderAndBudget) {
  const std::vector<std::int64_t> lengths = {3, 3, 4, 20, 1, 9, 10};
  EXPECT_THAT(split_micro_batches(lengths, 10),
              ElementsAre(MicroBatch{0, 3}, MicroBatch{3, 4}, MicroBatch{4, 6}, MicroBatch{6, 7}));
  EXPECT_TRUE(split_micro_batches({}, 10).empty());
  EXPECT_THROW((void)split_micro_batches(lengths, 0), UsageError);
}

TEST(Loader, AnEpochUsesEveryRowOnce) {
  EXPECT_EQ(steps_per_epoch(10, 4), 3);
  StepRows steps(10, 4, 1);
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<std::int64_t> seen;
    for (std::int64_t step = 0; step < 3; ++step) {
      const auto rows = steps.of(epoch * 3 + step);
      EXPECT_EQ(rows.size(), step < 2 ? 4U : 2U);
      seen.insert(seen.end(), rows.begin(), rows.end());
    }
    std::sort(seen.begin(), seen.end());
    std::vector<std::int64_t> all(10);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
  }
  StepRows many(1000, 4, 1);
  const auto first = many.of(0);
  EXPECT_NE(many.of(250), first);  // shuffled anew
  EXPECT_EQ(many.of(0), first);    // a function of the step, whatever was asked for before
  EXPECT_NE(StepRows(1000, 4, 2).of(0), first);
  EXPECT_EQ(StepRows(5, 8, 1).of(3).size(), 5U);
  EXPECT_THROW((void)steps_per_epoch(0, 4), UsageError);
}

TEST(Loader, RanksShareAStepWithoutChangingIt) {
  const auto rows = StepRows(100, 11, 5).of(2);
  for (const std::int64_t ranks : {1, 2, 3, 4, 11, 16}) {
    std::vector<std::int64_t> together;
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      const auto part = rank_part(rows, rank, ranks);
      EXPECT_LE(part.size(), static_cast<std::size_t>((11 + ranks - 1) / ranks));
      EXPECT_GE(part.size(), static_cast<std::size_t>(11 / ranks));
      together.insert(together.end(), part.begin(), part.end());
    }
    EXPECT_EQ(together, rows) << ranks;
  }
}

}  // namespace
}  // namespace precis
