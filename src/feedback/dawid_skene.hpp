// How reliable each labeler is and what is true, estimated together from who agrees with whom.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace precis {

/// A labeler's choice, 0 or 1.
struct Vote {
  std::size_t labeler = 0;
  int choice = 0;
};

/// The votes on one pair: one of each labeler, or several, side by side, of people who have no name
/// of their own and are one labeler here.
struct Ballot {
  std::vector<Vote> votes;
  /// What is known from elsewhere, for the sign only: positive if 1 is true, negative if 0 is.
  double anchor = 0;
};

/// How often a labeler is right.
struct Reliability {
  double right_on_0 = 0;  ///< P(votes 0 | 0 is true)
  double right_on_1 = 0;  ///< P(votes 1 | 1 is true)
  double accuracy = 0;    ///< over both, by how often each is true
  double low = 0;         ///< 95% interval of the accuracy
  double high = 1;
};

struct Consensus {
  double share_of_1 = 0.5;  ///< of the ballots: how often 1 is true
  /// A labeler's; nothing where the votes cannot tell it (see `dawid_skene`).
  std::vector<std::optional<Reliability>> labelers;
  /// P(1 is true) of each ballot; 0.5 if none of its labelers is known.
  std::vector<double> probability_of_1;
  int iterations = 0;
  bool converged = false;
  double log_posterior = 0;  ///< of the votes that the estimate is from, up to a constant

  /// P(1 is true) by all votes of the ballot but that of `labeler`.
  [[nodiscard]] double without(const Ballot& ballot, std::size_t labeler) const;
};

/// Maximum a posteriori estimate by EM (Dawid & Skene 1979) of one 2x2 confusion matrix a labeler
/// and the share of true 1s, started from the majority's votes. Each probability has the prior
/// Beta(2, 2), one right and one wrong vote more: few votes do not give 0 or 1. The intervals are
/// Wald's on the log-odds of the accuracy, by the observed Fisher information (Louis 1982).
///
/// Labelers who never judge the same pair say nothing about each other, and where the overlap has
/// no odd cycle (as with two labelers alone) one can be as good as the other is bad: they get no
/// estimate. All labelers right and all wrong fit equally well: of the two, the anchors choose, in
/// each connected group of labelers; without anchors it is what EM reaches from the majority.
[[nodiscard]] Consensus dawid_skene(const std::vector<Ballot>& ballots, std::size_t labelers);

}  // namespace precis
