#include "train/work_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace precis {
namespace {

using testing::ElementsAre;

TEST(SharesInTenths, AddUpToAllOfIt) {
  EXPECT_THAT(shares_in_tenths(std::vector<double>{1, 1, 1}), ElementsAre(334, 333, 333));
  EXPECT_THAT(shares_in_tenths(std::vector<double>{2, 0, 0}), ElementsAre(1000, 0, 0));
  EXPECT_THAT(shares_in_tenths(std::vector<double>{0, 0}), ElementsAre(0, 0));
  EXPECT_THAT(shares_in_tenths(std::vector<double>{99.96, 0.04}), ElementsAre(1000, 0));
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> parts(1 + static_cast<std::size_t>(trial) % 12);
    for (double& part : parts) {
      part = uniform(random);
    }
    const auto shares = shares_in_tenths(parts);
    EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), std::int64_t{0}), 1000);
    const double sum = std::accumulate(parts.begin(), parts.end(), 0.0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(shares[i]), 1000 * parts[i] / sum, 1);
    }
  }
}

TEST(WorkTable, AsText) {
  WorkTable table{.ranks = 2,
                  .wall = 10,
                  .rows = {{.name = "forward", .calls = 24, .seconds = 6, .least = 5, .most = 7},
                           {.name = "other", .seconds = 4, .least = 4, .most = 4}}};
  EXPECT_EQ(to_text(table),
            "Where the 10.0 s of this launch went, on 2 ranks; seconds are a rank's:\n"
            "  work                       calls       mean      least       most   share\n"
            "  forward                       24      6.000      5.000      7.000   60.0%\n"
            "  other                                 4.000      4.000      4.000   40.0%");
  table.ranks = 1;
  EXPECT_EQ(to_text(table),
            "Where the 10.0 s of this launch went:\n"
            "  work                       calls    seconds   share\n"
            "  forward                       24      6.000   60.0%\n"
            "  other                                 4.000   40.0%");
}

}  // namespace
}  // namespace precis
