// Episodes dealt over copies of the rollout's policy.
#include "rlhf/dealing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.hpp"

namespace precis {
namespace {

using testing::ElementsAre;

TEST(Dealing, GivesTheDearestFirstToWhoHasLeast) {
  EXPECT_THAT(deal(std::vector<std::int64_t>{1, 5, 3, 3}, 2),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_THAT(deal(std::vector<std::int64_t>{2, 2, 2}, 2),
              ElementsAre(ElementsAre(0, 2), ElementsAre(1)))
      << "ties to the lower";
  EXPECT_THAT(deal(std::vector<std::int64_t>{4}, 3),
              ElementsAre(ElementsAre(0), ElementsAre(), ElementsAre()));
}

TEST(Dealing, GivesEachEpisodeOnceAndEvenly) {
  RandomStream draws(3, Purpose::testing, 1);
  for (const int copies : {1, 2, 3, 8}) {
    for (const std::size_t count : {1, 7, 64, 512}) {
      std::vector<std::int64_t> costs;
      for (std::size_t i = 0; i < count; ++i) {
        costs.push_back(48 + static_cast<std::int64_t>(draws.below(464)));
      }
      std::vector<std::int64_t> seen;
      std::int64_t most = 0;
      for (const auto& places : deal(costs, copies)) {
        EXPECT_TRUE(std::ranges::is_sorted(places));
        std::int64_t sum = 0;
        for (const std::int64_t place : places) {
          sum += costs[static_cast<std::size_t>(place)];
        }
        most = std::max(most, sum);
        seen.insert(seen.end(), places.begin(), places.end());
      }
      std::ranges::sort(seen);
      std::vector<std::int64_t> all(count);
      std::iota(all.begin(), all.end(), std::int64_t{0});
      EXPECT_EQ(seen, all);
      // Graham's bound, by the largest cost and the mean of the copies as what no deal is below.
      const std::int64_t total = std::accumulate(costs.begin(), costs.end(), std::int64_t{0});
      const std::int64_t least = std::max(std::ranges::max(costs), (total + copies - 1) / copies);
      EXPECT_LE(3 * most, 4 * least) << count << " episodes, " << copies << " copies";
    }
  }
}

}  // namespace
}  // namespace precis
