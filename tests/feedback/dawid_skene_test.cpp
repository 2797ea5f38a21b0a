#include "feedback/dawid_skene.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.hpp"

namespace precis {
namespace {

struct Truth {
  double share_of_1 = 0.5;
  std::vector<std::array<double, 2>> right;
};

double accuracy(const Truth& truth, std::size_t labeler) {
  return (1 - truth.share_of_1) * truth.right[labeler][0] +
         truth.share_of_1 * truth.right[labeler][1];
}

double probability(const Truth& truth, const std::vector<int>& votes) {
  double zero = 1 - truth.share_of_1;
  double one = truth.share_of_1;
  for (std::size_t l = 0; l < votes.size(); ++l) {
    const auto& [on_0, on_1] = truth.right[l];
    zero *= votes[l] == 0 ? on_0 : 1 - on_0;
    one *= votes[l] == 1 ? on_1 : 1 - on_1;
  }
  return zero + one;
}

// Every way in which all labelers can vote.
std::vector<std::vector<int>> patterns(std::size_t labelers) {
  std::vector<std::vector<int>> all;
  for (std::size_t bits = 0; bits < std::size_t{1} << labelers; ++bits) {
    auto& votes = all.emplace_back(labelers);
    for (std::size_t l = 0; l < labelers; ++l) {
      votes[l] = static_cast<int>(bits >> l & 1U);
    }
  }
  return all;
}

Ballot ballot_of(const std::vector<int>& votes) {
  Ballot ballot;
  for (std::size_t l = 0; l < votes.size(); ++l) {
    ballot.votes.push_back({l, votes[l]});
  }
  return ballot;
}

// What the estimate maximizes, from its definition.
double log_posterior(const Truth& truth, const std::vector<std::vector<int>>& all_votes) {
  const auto prior = [](double x) { return std::log(x * (1 - x)); };
  double sum = prior(truth.share_of_1);
  for (const auto& [on_0, on_1] : truth.right) {
    sum += prior(on_0) + prior(on_1);
  }
  for (const auto& votes : all_votes) {
    sum += std::log(probability(truth, votes));
  }
  return sum;
}

// The best of every point of a grid of steps, made finer around the best point again and again.
Truth brute_force(const std::vector<std::vector<int>>& all_votes) {
  std::array<double, 7> best{};
  best.fill(0.5);
  double best_value = -1e300;
  const auto truth_of = [](const std::array<double, 7>& x) {
    return Truth{x[0], {{x[1], x[2]}, {x[3], x[4]}, {x[5], x[6]}}};
  };
  double width = 0.25;
  for (int step = 0; step < 29; ++step, width *= 0.6) {  // to 1e-7
    const std::array<double, 7> centre = best;
    for (int point = 0; point < 2187; ++point) {  // 3^7
      std::array<double, 7> x{};
      int rest = point;
      for (std::size_t k = 0; k < 7; ++k, rest /= 3) {
        x[k] = std::clamp(centre[k] + (rest % 3 - 1) * width, 1e-4, 1 - 1e-4);
      }
      // Of the two mirrored solutions, the one in which the labelers are right.
      if (x[1] + x[2] + x[3] + x[4] + x[5] + x[6] < 3) {
        continue;
      }
      const double value = log_posterior(truth_of(x), all_votes);
      if (value > best_value) {
        best_value = value;
        best = x;
      }
    }
  }
  return truth_of(best);
}

TEST(DawidSkene, IsTheBruteForceMaximum) {
  const Truth truth{0.4, {{0.9, 0.8}, {0.7, 0.85}, {0.75, 0.6}}};
  RandomStream random(5, Purpose::testing, 0);
  std::vector<std::vector<int>> all_votes;
  std::vector<Ballot> ballots;
  for (int i = 0; i < 60; ++i) {
    const int value = random.chance(truth.share_of_1) ? 1 : 0;
    std::vector<int> votes;
    for (const auto& right : truth.right) {
      votes.push_back(random.chance(right[static_cast<std::size_t>(value)]) ? value : 1 - value);
    }
    all_votes.push_back(votes);
    ballots.push_back(ballot_of(votes));
  }
  const Consensus found = dawid_skene(ballots, 3);
  const Truth best = brute_force(all_votes);
  ASSERT_TRUE(found.converged);
  EXPECT_NEAR(found.log_posterior, log_posterior(best, all_votes), 1e-6);
  EXPECT_NEAR(found.share_of_1, best.share_of_1, 1e-3);
  for (std::size_t l = 0; l < 3; ++l) {
    ASSERT_TRUE(found.labelers[l]);
    EXPECT_NEAR(found.labelers[l]->right_on_0, best.right[l][0], 1e-3);
    EXPECT_NEAR(found.labelers[l]->right_on_1, best.right[l][1], 1e-3);
    EXPECT_NEAR(found.labelers[l]->accuracy, accuracy(best, l), 1e-3);
  }
}

TEST(DawidSkene, FindsTheParametersOfVotesInExactProportion) {
  const Truth truth{0.4, {{0.9, 0.8}, {0.7, 0.8}, {0.6, 0.7}, {0.8, 0.6}}};
  std::vector<Ballot> ballots;
  for (const auto& votes : patterns(4)) {
    const auto times = std::llround(100000 * probability(truth, votes));
    ballots.insert(ballots.end(), static_cast<std::size_t>(times), ballot_of(votes));
  }
  ASSERT_NEAR(static_cast<double>(ballots.size()), 1e5, 8);
  const Consensus found = dawid_skene(ballots, 4);
  EXPECT_NEAR(found.share_of_1, 0.4, 1e-3);
  for (std::size_t l = 0; l < 4; ++l) {
    EXPECT_NEAR(found.labelers[l]->right_on_0, truth.right[l][0], 1e-3);
    EXPECT_NEAR(found.labelers[l]->right_on_1, truth.right[l][1], 1e-3);
    EXPECT_LT(found.labelers[l]->low, accuracy(truth, l));
    EXPECT_GT(found.labelers[l]->high, accuracy(truth, l));
  }
  // Bayes' rule with the parameters found.
  const auto& r = found.labelers;
  const double one = found.share_of_1 * (1 - r[0]->right_on_1) * r[1]->right_on_1;
  const double zero = (1 - found.share_of_1) * r[0]->right_on_0 * (1 - r[1]->right_on_0);
  EXPECT_NEAR(found.without({.votes = {{0, 0}, {1, 1}, {2, 1}}}, 2), one / (one + zero), 1e-12);
}

// Where the truth is as good as known, the estimate is a plain proportion.
TEST(DawidSkene, IntervalOfALabelerAmongManyPerfectOnesIsThatOfAProportion) {
  std::vector<Ballot> ballots;
  for (int i = 0; i < 400; ++i) {
    const int truth = i % 2;
    Ballot ballot;
    for (std::size_t l = 0; l < 7; ++l) {
      ballot.votes.push_back({l, truth});
    }
    ballot.votes.push_back({7, i % 8 < 2 ? 1 - truth : truth});  // right on 300 of 400
    ballots.push_back(ballot);
  }
  const auto found = dawid_skene(ballots, 8).labelers[7].value();
  const double p = 151.0 / 202;  // of 200 each, with the prior's one right and one wrong
  EXPECT_NEAR(found.accuracy, p, 1e-6);
  const double half = 1.959964 / std::sqrt(404 * p * (1 - p));
  const double odds = std::log(p / (1 - p));
  EXPECT_NEAR(std::log(found.low / (1 - found.low)), odds - half, 1e-3);
  EXPECT_NEAR(std::log(found.high / (1 - found.high)), odds + half, 1e-3);
}

// Ten labelers: one tosses coins, one chooses the worse; each pair is judged by three.
struct Ten {
  static constexpr std::size_t coin = 3;
  static constexpr std::size_t adversary = 7;
  std::array<double, 10> accuracy{};
  std::vector<Ballot> ballots;
  std::vector<int> truth;

  explicit Ten(std::uint64_t seed) {
    for (std::size_t l = 0; l < 10; ++l) {
      accuracy[l] = 0.7 + 0.2 * static_cast<double>(l) / 9;
    }
    accuracy[coin] = 0.5;
    accuracy[adversary] = 0.2;
    RandomStream random(seed, Purpose::testing, 1);
    for (std::uint64_t i = 0; i < 500; ++i) {
      const auto order = permutation(10, seed, Purpose::testing, 10 + i);
      Ballot ballot;
      const int value = random.chance(0.5) ? 1 : 0;
      for (std::size_t k = 0; k < 3; ++k) {
        const auto labeler = static_cast<std::size_t>(order[k]);
        ballot.votes.push_back({labeler, random.chance(accuracy[labeler]) ? value : 1 - value});
      }
      ballots.push_back(ballot);
      truth.push_back(value);
    }
  }
};

TEST(DawidSkene, FindsTheRandomAndTheAdversarialLabelerAmongTen) {
  int covered = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Ten ten(seed);
    const Consensus found = dawid_skene(ten.ballots, 10);
    ASSERT_TRUE(found.converged);
    for (std::size_t l = 0; l < 10; ++l) {
      const auto& of = found.labelers[l].value();
      covered += of.low <= ten.accuracy[l] && ten.accuracy[l] <= of.high ? 1 : 0;
      EXPECT_LT(of.low, of.accuracy);
      EXPECT_GT(of.high, of.accuracy);
      if (l == Ten::adversary) {
        EXPECT_LT(of.high, 0.5) << "seed " << seed;
      } else if (l == Ten::coin) {
        EXPECT_LT(of.accuracy, 0.65) << "seed " << seed;
        EXPECT_LT(of.low, 0.55) << "seed " << seed;
      } else {
        EXPECT_GT(of.accuracy, found.labelers[Ten::coin]->accuracy) << "seed " << seed;
        EXPECT_GT(of.low, 0.5) << "seed " << seed << ", labeler " << l;
      }
    }
    int votes_right = 0;
    int right = 0;
    for (std::size_t i = 0; i < ten.ballots.size(); ++i) {
      int ones = 0;
      for (const Vote& vote : ten.ballots[i].votes) {
        ones += vote.choice;
      }
      votes_right += (ones >= 2) == (ten.truth[i] == 1) ? 1 : 0;
      right += (found.probability_of_1[i] > 0.5) == (ten.truth[i] == 1) ? 1 : 0;
    }
    EXPECT_GT(right, votes_right) << "seed " << seed;
  }
  // 95 of 100 are expected; fewer than 88 would have probability 0.2%.
  EXPECT_GE(covered, 88);
}

TEST(DawidSkene, AnchorsChooseTheSignWhereMostLabelersAreBad) {
  RandomStream random(2, Purpose::testing, 2);
  std::vector<Ballot> ballots;
  for (int i = 0; i < 300; ++i) {
    const int value = random.chance(0.5) ? 1 : 0;
    Ballot ballot;
    for (std::size_t l = 0; l < 5; ++l) {
      ballot.votes.push_back({l, random.chance(l < 2 ? 0.85 : 0.2) ? value : 1 - value});
    }
    // The first labeler is to be trusted, and judged every tenth pair only.
    ballot.anchor = i % 10 == 0 ? 2.0 * ballot.votes[0].choice - 1 : 0;
    ballots.push_back(ballot);
  }
  const Consensus anchored = dawid_skene(ballots, 5);
  for (Ballot& ballot : ballots) {
    ballot.anchor = 0;
  }
  const Consensus free = dawid_skene(ballots, 5);
  EXPECT_NEAR(anchored.log_posterior, free.log_posterior, 1e-6);
  for (std::size_t l = 0; l < 5; ++l) {
    EXPECT_NEAR(anchored.labelers[l]->accuracy, 1 - free.labelers[l]->accuracy, 1e-6);
    EXPECT_EQ(anchored.labelers[l]->accuracy > 0.5, l < 2);
  }
}

TEST(DawidSkene, WithoutEnoughOverlapThereIsNoEstimate) {
  std::vector<Ballot> ballots;
  for (int i = 0; i < 40; ++i) {
    ballots.push_back({.votes = {{0, i % 2}, {1, i % 3 == 0 ? 1 : 0}}});  // two alone
    ballots.push_back({.votes = {{2, i % 2}}});                           // one alone
    ballots.push_back({.votes = {{3, i % 2}, {4, i % 2}}});               // a chain of three
    ballots.push_back({.votes = {{4, i % 2}, {5, i % 2}}});
    ballots.push_back({.votes = {{6, i % 2}, {7, i % 2}}});  // a triangle, two at a time
    ballots.push_back({.votes = {{7, i % 2}, {8, i % 2}}});
    ballots.push_back({.votes = {{8, i % 2}, {6, i % 2}}});
  }
  const Consensus found = dawid_skene(ballots, 10);
  for (std::size_t l = 0; l < 10; ++l) {
    EXPECT_EQ(found.labelers[l].has_value(), l >= 6 && l <= 8) << l;
  }
  EXPECT_EQ(found.probability_of_1[0], 0.5);
  EXPECT_GT(found.probability_of_1[11], 0.9);
  EXPECT_TRUE(dawid_skene({}, 0).labelers.empty());
}

TEST(DawidSkene, FewVotesDoNotGiveCertainty) {
  const auto found = dawid_skene({{.votes = {{0, 1}, {1, 1}, {2, 1}}}}, 3);
  for (const auto& labeler : found.labelers) {
    EXPECT_GT(labeler->accuracy, 0.5);
    EXPECT_LT(labeler->accuracy, 0.75);
    EXPECT_LT(labeler->low, 0.5);
  }
}

}  // namespace
}  // namespace precis
