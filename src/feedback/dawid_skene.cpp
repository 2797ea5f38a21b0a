#include "feedback/dawid_skene.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace precis {
namespace {

constexpr double prior_count = 1;  // The c of Beta(1 + c, 1 + c).
constexpr int most_iterations = 5000;
constexpr double tolerance = 1e-10;  // The largest change of a ballot's probability.
constexpr double z95 = 1.959963984540054;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// Groups of labelers who are connected by common ballots, with sides: labelers on both sides of
// one group at once are on an odd cycle (union-find over (labeler, side)).
class Overlap {
 public:
  Overlap(const std::vector<Ballot>& ballots, std::size_t labelers) : parent_(2 * labelers) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    std::vector<std::size_t> voters;
    for (const Ballot& ballot : ballots) {
      voters.clear();
      for (const Vote& vote : ballot.votes) {
        if (voters.empty() || voters.back() != vote.labeler) {
          voters.push_back(vote.labeler);
        }
      }
      for (std::size_t i = 1; i < voters.size(); ++i) {
        connect(voters[i - 1], voters[i]);
      }
      if (voters.size() > 2) {
        connect(voters[0], voters[2]);
      }
    }
  }

  [[nodiscard]] bool has_odd_cycle(std::size_t labeler) {
    return root(2 * labeler) == root(2 * labeler + 1);
  }
  /// The same number for all labelers of a group that has an odd cycle.
  [[nodiscard]] std::size_t group(std::size_t labeler) { return root(2 * labeler); }

 private:
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) {
      parent_[i] = parent_[parent_[i]];
      i = parent_[i];
    }
    return i;
  }
  void connect(std::size_t a, std::size_t b) {
    parent_[root(2 * a)] = root(2 * b + 1);
    parent_[root(2 * a + 1)] = root(2 * b);
  }

  std::vector<std::size_t> parent_;
};

struct Confusions {
  double share_of_1 = 0.5;
  std::vector<std::array<double, 2>> right;  // of each labeler: on 0, on 1
};

// What votes add to the log-odds that 1 is true.
class Evidence {
 public:
  explicit Evidence(const Confusions& p) : prior_(std::log(p.share_of_1 / (1 - p.share_of_1))) {
    for (const auto& [on_0, on_1] : p.right) {
      of_.push_back({std::log((1 - on_1) / on_0), std::log(on_1 / (1 - on_0))});
    }
  }
  /// log P(votes, 1 is true) - log P(votes, 0 is true).
  [[nodiscard]] double log_odds(const Ballot& ballot) const {
    double sum = prior_;
    for (const Vote& vote : ballot.votes) {
      sum += of_[vote.labeler][static_cast<std::size_t>(vote.choice)];
    }
    return sum;
  }

 private:
  double prior_;
  std::vector<std::array<double, 2>> of_;
};

// From the probabilities that 1 is true.
Confusions maximize(const std::vector<Ballot>& ballots, const std::vector<double>& truth,
                    std::size_t labelers) {
  struct Sums {
    std::array<double, 2> right{prior_count, prior_count};
    std::array<double, 2> all{2 * prior_count, 2 * prior_count};
  };
  std::vector<Sums> sums(labelers);
  double ones = prior_count;
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    const std::array<double, 2> weight{1 - truth[i], truth[i]};
    ones += truth[i];
    for (const Vote& vote : ballots[i].votes) {
      Sums& own = sums[vote.labeler];
      const auto choice = static_cast<std::size_t>(vote.choice);
      own.right[choice] += weight[choice];
      own.all[0] += weight[0];
      own.all[1] += weight[1];
    }
  }
  Confusions p;
  p.share_of_1 = ones / (static_cast<double>(ballots.size()) + 2 * prior_count);
  for (const Sums& own : sums) {
    p.right.push_back({own.right[0] / own.all[0], own.right[1] / own.all[1]});
  }
  return p;
}

struct Fit {
  Confusions parameters;
  std::vector<double> truth;
  int iterations = 0;
  bool converged = false;
};

// Repeats both steps from the probabilities given.
void iterate(Fit& fit, const std::vector<Ballot>& ballots, std::size_t labelers) {
  fit.converged = false;
  while (!fit.converged && fit.iterations < most_iterations) {
    fit.parameters = maximize(ballots, fit.truth, labelers);
    const Evidence evidence(fit.parameters);
    double change = 0;
    for (std::size_t i = 0; i < ballots.size(); ++i) {
      const double now = logistic(evidence.log_odds(ballots[i]));
      change = std::max(change, std::abs(now - fit.truth[i]));
      fit.truth[i] = now;
    }
    fit.converged = change < tolerance;
    ++fit.iterations;
  }
}

double majority(const Ballot& ballot) {
  double ones = 0;
  for (const Vote& vote : ballot.votes) {
    ones += vote.choice;
  }
  return ones / static_cast<double>(ballot.votes.size());
}

// Mirrors the groups in which the anchors contradict the estimate; whether there were any.
bool turn_to_anchors(Fit& fit, const std::vector<Ballot>& ballots) {
  Overlap overlap(ballots, fit.parameters.right.size());
  std::map<std::size_t, double> agreement;
  const auto group = [&](std::size_t i) { return overlap.group(ballots[i].votes[0].labeler); };
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    agreement[group(i)] += ballots[i].anchor * (2 * fit.truth[i] - 1);
  }
  bool any = false;
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    if (agreement[group(i)] < 0) {
      fit.truth[i] = 1 - fit.truth[i];
      any = true;
    }
  }
  return any;
}

double log_posterior(const Confusions& p, const std::vector<Ballot>& ballots) {
  const auto log_prior = [](double x) { return prior_count * (std::log(x) + std::log1p(-x)); };
  double sum = log_prior(p.share_of_1);
  for (const auto& right : p.right) {
    sum += log_prior(right[0]) + log_prior(right[1]);
  }
  const Evidence evidence(p);
  for (const Ballot& ballot : ballots) {
    double zero = std::log1p(-p.share_of_1);
    for (const Vote& vote : ballot.votes) {
      const double on_0 = p.right[vote.labeler][0];
      zero += std::log(vote.choice == 0 ? on_0 : 1 - on_0);
    }
    const double odds = evidence.log_odds(ballot);
    sum += zero + std::max(odds, 0.0) + std::log1p(std::exp(-std::abs(odds)));
  }
  return sum;
}

// The lower triangle of a symmetric matrix.
class Symmetric {
 public:
  explicit Symmetric(std::size_t n) : n_(n), values_(n * n) {}
  double& at(std::size_t i, std::size_t j) { return values_[std::max(i, j) * n_ + std::min(i, j)]; }

  /// In place, L of L L' (Cholesky); false if the matrix is not positive definite.
  [[nodiscard]] bool factorize() {
    for (std::size_t j = 0; j < n_; ++j) {
      for (std::size_t i = j; i < n_; ++i) {
        double sum = at(i, j);
        for (std::size_t k = 0; k < j; ++k) {
          sum -= at(i, k) * at(j, k);
        }
        if (i == j && !(sum > 1e-12)) {
          return false;
        }
        at(i, j) = i == j ? std::sqrt(sum) : sum / at(j, j);
      }
    }
    return true;
  }
  /// x' M^-1 x for the matrix M that was factorized.
  [[nodiscard]] double inverse_form(std::vector<double> x) {
    double sum = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        x[i] -= at(i, k) * x[k];
      }
      x[i] /= at(i, i);
      sum += x[i] * x[i];
    }
    return sum;
  }

 private:
  std::size_t n_;
  std::vector<double> values_;
};

// The observed information about the log-odds of (share of 1, right on 0 and on 1 of each labeler):
// that of the complete data less what is lost by not knowing the truth (Louis 1982). With two
// classes the loss of a ballot is t (1 - t) d d', d the difference of the two complete scores.
Symmetric information(const Fit& fit, const std::vector<Ballot>& ballots, std::size_t labelers) {
  const Confusions& p = fit.parameters;
  const auto variance = [](double x) { return x * (1 - x); };
  Symmetric matrix(2 * labelers + 1);
  matrix.at(0, 0) =
      (static_cast<double>(ballots.size()) + 2 * prior_count) * variance(p.share_of_1);
  for (std::size_t l = 0; l < labelers; ++l) {
    matrix.at(2 * l + 1, 2 * l + 1) = 2 * prior_count * variance(p.right[l][0]);
    matrix.at(2 * l + 2, 2 * l + 2) = 2 * prior_count * variance(p.right[l][1]);
  }
  std::vector<std::pair<std::size_t, double>> difference;
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    const double one = fit.truth[i];
    difference.assign(1, {0, 1.0});
    for (const Vote& vote : ballots[i].votes) {
      const std::size_t at = 2 * vote.labeler + 1;
      const auto& right = p.right[vote.labeler];
      matrix.at(at, at) += (1 - one) * variance(right[0]);
      matrix.at(at + 1, at + 1) += one * variance(right[1]);
      difference.emplace_back(at, right[0] - (vote.choice == 0 ? 1.0 : 0.0));
      difference.emplace_back(at + 1, (vote.choice == 1 ? 1.0 : 0.0) - right[1]);
    }
    for (const auto& [row, a] : difference) {
      for (const auto& [column, b] : difference) {
        if (column <= row) {
          matrix.at(row, column) -= variance(one) * a * b;
        }
      }
    }
  }
  return matrix;
}

// The reliability of each labeler; the interval is all of (0, 1) where the information does not
// bound it.
std::vector<Reliability> reliabilities(const Fit& fit, const std::vector<Ballot>& ballots) {
  const Confusions& p = fit.parameters;
  const std::size_t labelers = p.right.size();
  Symmetric matrix = information(fit, ballots, labelers);
  const bool bounded = matrix.factorize();
  std::vector<Reliability> result;
  for (std::size_t l = 0; l < labelers; ++l) {
    const auto& [on_0, on_1] = p.right[l];
    const double one = p.share_of_1;
    Reliability reliability{
        .right_on_0 = on_0, .right_on_1 = on_1, .accuracy = (1 - one) * on_0 + one * on_1};
    if (bounded) {
      // The accuracy's derivatives by the log-odds.
      std::vector<double> slope(2 * labelers + 1);
      slope[0] = (on_1 - on_0) * one * (1 - one);
      slope[2 * l + 1] = (1 - one) * on_0 * (1 - on_0);
      slope[2 * l + 2] = one * on_1 * (1 - on_1);
      const double deviation = std::sqrt(matrix.inverse_form(std::move(slope)));
      const double odds = std::log(reliability.accuracy / (1 - reliability.accuracy));
      const double half = z95 * deviation / (reliability.accuracy * (1 - reliability.accuracy));
      reliability.low = logistic(odds - half);
      reliability.high = logistic(odds + half);
    }
    result.push_back(reliability);
  }
  return result;
}

}  // namespace

double Consensus::without(const Ballot& ballot, std::size_t labeler) const {
  double sum = std::log(share_of_1 / (1 - share_of_1));
  for (const Vote& vote : ballot.votes) {
    const auto& reliability = labelers[vote.labeler];
    if (reliability && vote.labeler != labeler) {
      sum += vote.choice == 1 ? std::log(reliability->right_on_1 / (1 - reliability->right_on_0))
                              : std::log((1 - reliability->right_on_1) / reliability->right_on_0);
    }
  }
  return logistic(sum);
}

Consensus dawid_skene(const std::vector<Ballot>& ballots, std::size_t labelers) {
  Overlap overlap(ballots, labelers);
  Consensus result;
  result.labelers.resize(labelers);
  result.probability_of_1.assign(ballots.size(), 0.5);

  // The estimate is from the labelers and ballots that say something about each other.
  std::vector<std::size_t> number(labelers);
  std::vector<std::size_t> estimated;
  for (std::size_t l = 0; l < labelers; ++l) {
    if (overlap.has_odd_cycle(l)) {
      number[l] = estimated.size();
      estimated.push_back(l);
    }
  }
  std::vector<Ballot> used;
  Fit fit;
  for (const Ballot& ballot : ballots) {
    if (ballot.votes.size() > 1 && overlap.has_odd_cycle(ballot.votes[0].labeler)) {
      Ballot& renumbered = used.emplace_back(ballot);
      for (Vote& vote : renumbered.votes) {
        vote.labeler = number[vote.labeler];
      }
      fit.truth.push_back(majority(ballot));
    }
  }
  if (used.empty()) {
    return result;
  }
  iterate(fit, used, estimated.size());
  if (turn_to_anchors(fit, used)) {
    iterate(fit, used, estimated.size());
  }

  const auto found = reliabilities(fit, used);
  for (std::size_t k = 0; k < estimated.size(); ++k) {
    result.labelers[estimated[k]] = found[k];
  }
  result.share_of_1 = fit.parameters.share_of_1;
  result.iterations = fit.iterations;
  result.converged = fit.converged;
  result.log_posterior = log_posterior(fit.parameters, used);
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    const auto& votes = ballots[i].votes;
    if (std::any_of(votes.begin(), votes.end(),
                    [&](const Vote& vote) { return result.labelers[vote.labeler]; })) {
      result.probability_of_1[i] = result.without(ballots[i], labelers);
    }
  }
  return result;
}

}  // namespace precis
