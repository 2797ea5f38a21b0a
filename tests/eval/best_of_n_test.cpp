#include "eval/best_of_n.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/random.hpp"

namespace precis {
namespace {

// The mean over every subset of n samples of the mean value of those with the highest reward.
double over_all_subsets(const std::vector<double>& rewards, const std::vector<double>& values,
                        int n) {
  double sum = 0;
  int subsets = 0;
  for (unsigned members = 0; members < 1U << rewards.size(); ++members) {
    if (std::popcount(members) != n) {
      continue;
    }
    double best = -1e9;
    double value = 0;
    int tied = 0;
    for (std::size_t i = 0; i < rewards.size(); ++i) {
      if ((members >> i & 1U) == 0) {
        continue;
      }
      if (rewards[i] > best) {
        best = rewards[i];
        value = 0;
        tied = 0;
      }
      if (rewards[i] == best) {
        value += values[i];
        ++tied;
      }
    }
    sum += value / tied;
    ++subsets;
  }
  return sum / subsets;
}

TEST(BestOfN, EqualsTheMeanOverAllSubsets) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    RandomStream random(seed, Purpose::testing, 2);
    const auto count = 1 + random.below(9);
    std::vector<double> rewards, values;
    for (std::uint32_t i = 0; i < count; ++i) {
      // Few different rewards, so that there are ties.
      rewards.push_back(seed % 2 == 0 ? random.uniform() : random.below(3));
      values.push_back(random.uniform());
    }
    for (int n = 1; n <= static_cast<int>(count); ++n) {
      EXPECT_NEAR(expected_value_of_best(rewards, values, n), over_all_subsets(rewards, values, n),
                  1e-12)
          << "seed " << seed << ", n " << n;
    }
  }
}

// The best of n uniform numbers is n / (n + 1) on average.
TEST(BestOfN, IsUnbiasedForManySamples) {
  SampleValues rewards;
  for (std::uint64_t row = 0; row < 400; ++row) {
    RandomStream random(7, Purpose::testing, row);
    auto& of_row = rewards.emplace_back();
    for (int i = 0; i < 64; ++i) {
      of_row.push_back(random.uniform());
    }
  }
  std::vector<std::uint64_t> posts(rewards.size());
  std::iota(posts.begin(), posts.end(), std::uint64_t{0});
  const auto table = best_of_n(rewards, rewards, {}, posts, 64);
  ASSERT_EQ(table.size(), 7U);
  for (const BestOfN& line : table) {
    const auto n = static_cast<double>(line.n);
    EXPECT_NEAR(line.reward.mean, n / (n + 1), 0.012) << line.n;
    EXPECT_EQ(line.gold->mean, line.reward.mean);
    EXPECT_FALSE(line.against_references);
    EXPECT_LT(line.reward.low, line.reward.mean);
  }
  EXPECT_EQ(best_of_n(rewards, {}, {}, posts, 63).back().n, 32);
  EXPECT_EQ(best_of_n(rewards, {}, {}, posts, 1).size(), 1U);
}

TEST(BestOfN, IntervalsAreOverPosts) {
  // The best of two are 1 and 3 of the rewards, and 0 and 1 of the wins.
  const SampleValues rewards = {{0, 1}, {3, 2}};
  const SampleValues wins = {{1, 0}, {1, 0}};
  const auto table = best_of_n(rewards, {}, wins, std::vector<std::uint64_t>{1, 2}, 64);
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[1].reward.mean, 2);
  EXPECT_NEAR(table[1].reward.high, 2 + student_975(1), 1e-9);  // of 1 and 3 the error is 1
  EXPECT_EQ(table[1].against_references->rate, 0.5);
  EXPECT_NEAR(table[1].against_references->low, 0.0945, 1e-4);  // Wilson, 1 of 2
  EXPECT_EQ(table[0].against_references->rate, 0.5);
  // Rows of one post say nothing of the spread.
  const auto one_post = best_of_n(rewards, {}, wins, std::vector<std::uint64_t>{1, 1}, 64);
  EXPECT_TRUE(std::isnan(one_post[1].reward.low));
}

TEST(BestOfN, OfEqualSamplesIsThatOfOne) {
  const std::vector<std::uint64_t> posts = {1, 2};
  const SampleValues once = {{0.1}, {0.7}};
  const auto one = best_of_n(once, once, {}, posts, 64).front();
  for (const std::size_t copies : {3U, 16U}) {
    const SampleValues many = {std::vector<double>(copies, 0.1), std::vector<double>(copies, 0.7)};
    for (const BestOfN& line : best_of_n(many, many, {}, posts, 64)) {
      EXPECT_EQ(line.reward.mean, one.reward.mean) << line.n;
      EXPECT_EQ(line.reward.high, one.reward.high) << line.n;
      EXPECT_EQ(line.gold->low, one.gold->low) << line.n;
    }
  }
}

TEST(BestOfN, KlIsThePapers) {
  EXPECT_EQ(best_of_n_kl(1), 0);
  EXPECT_NEAR(best_of_n_kl(2), 0.193147, 1e-6);
  EXPECT_NEAR(best_of_n_kl(64), 3.174508, 1e-6);  // Stiennon 2020: about 3.2 nats
}

TEST(BestOfN, TheFirstOfTheBestIsTaken) {
  EXPECT_EQ(best_of_first(std::vector<double>{1, 3, 3, 9}, 3), 1U);
  EXPECT_EQ(best_of_first(std::vector<double>{1, 3, 3, 9}, 4), 3U);
  EXPECT_EQ(best_of_first(std::vector<double>{1, 3}, 1), 0U);
}

}  // namespace
}  // namespace precis
