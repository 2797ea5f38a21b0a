// How a step's rows are cut into parts, and which of them a rank has.
#include "train/data_parts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::vector<std::pair<std::int64_t, std::int64_t>> all_parts(std::int64_t parts,
                                                             std::int64_t rows) {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  for (std::int64_t part = 0; part < parts; ++part) {
    ranges.push_back(DataParts{.parts = parts, .first = 0, .last = parts}.rows_of(part, rows));
  }
  return ranges;
}

TEST(DataParts, ComeOfHalvingAgainAndAgain) {
  EXPECT_THAT(all_parts(4, 6), ElementsAre(Pair(0, 2), Pair(2, 3), Pair(3, 5), Pair(5, 6)));
  EXPECT_THAT(all_parts(4, 2), ElementsAre(Pair(0, 1), Pair(1, 1), Pair(1, 2), Pair(2, 2)));
  EXPECT_THAT(all_parts(1, 7), ElementsAre(Pair(0, 7)));
  // Not of two: equal ones.
  EXPECT_THAT(all_parts(3, 7), ElementsAre(Pair(0, 3), Pair(3, 5), Pair(5, 7)));
}

TEST(DataParts, OfARankAreWholeSubtreesThatTileTheRows) {
  for (const std::int64_t exact : {1, 2, 4, 8, 16}) {
    for (const int ranks : {1, 2, 3, 4, 8}) {
      for (const std::int64_t rows : {0, 1, 5, 16, 129}) {
        std::int64_t end = 0;
        for (int rank = 0; rank < ranks; ++rank) {
          const DataParts parts = data_parts(exact, rank, ranks);
          EXPECT_EQ(parts.parts, exact % ranks == 0 ? exact : ranks);
          for (std::int64_t part = 0; part < parts.mine(); ++part) {
            const auto [first, last] = parts.rows_of(part, rows);
            EXPECT_EQ(first, end);
            end = last;
          }
          if (parts.parts == exact) {
            // The rows of the same rank where there is one part a rank.
            EXPECT_EQ(parts.my_rows(rows), data_parts(ranks, rank, ranks).my_rows(rows));
          }
        }
        EXPECT_EQ(end, rows);
      }
    }
  }
}

TEST(ExactParts, AreAsGivenElseThoseOfTheRunElseADefault) {
  const auto parts = [](std::int64_t given, const std::optional<std::string>& of_the_run) {
    return effective_parts("exact.data_parts", given, of_the_run, 2, most_data_parts);
  };
  EXPECT_EQ(parts(8, "4"), 8);
  EXPECT_EQ(parts(0, "4"), 4);
  EXPECT_EQ(parts(0, std::nullopt), 2);
  EXPECT_THROW((void)parts(6, std::nullopt), UsageError);
  for (const char* broken : {"", "abc", "4x", "0", "-2", "6", "2048", "99999999999999999999"}) {
    EXPECT_THROW((void)parts(0, broken), Error) << broken;
  }
}

TEST(ExactParts, OfNewRunsFollowTheRanks) {
  EXPECT_EQ(default_data_parts(2), 2);
  EXPECT_EQ(default_data_parts(3), 1);
  EXPECT_EQ(default_data_parts(2048), 1);
  EXPECT_EQ(default_tensor_parts(1), 8);
  EXPECT_EQ(default_tensor_parts(3), 8);
  EXPECT_EQ(default_tensor_parts(16), 16);
}

}  // namespace
}  // namespace precis
