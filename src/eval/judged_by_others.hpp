// Wins of policies judged by a reward model or by people instead of the gold labeler.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/tldr.hpp"
#include "eval/win_count.hpp"
#include "feedback/samples.hpp"

namespace precis {

/// Samples of each row with the rewards of a reward model.
struct RewardedSamples {
  std::vector<std::vector<SampledSummary>> samples;
  std::vector<std::vector<double>> rewards;
};

/// The rows' own summaries as samples, `count` times each.
[[nodiscard]] RewardedSamples rewarded_references(const std::vector<SummaryRow>& rows,
                                                  const std::vector<double>& rewards,
                                                  std::size_t count);

/// Sample `index` of a row on both sides.
struct RewardedPair {
  std::size_t row = 0;
  SampledSummary a;
  SampledSummary b;
  double reward_a = 0;
  double reward_b = 0;
};

struct RewardWins {
  WinCount count;
  Mean reward_a;
  Mean reward_b;
  Mean words_a;
  Mean words_b;
  std::vector<RewardedPair> pairs;
};

/// Compares sample by sample; each post counts the same. Throws Error unless both sides have the
/// same number of samples.
[[nodiscard]] RewardWins compare_rewards(const std::vector<SummaryRow>& rows,
                                         const RewardedSamples& a, const RewardedSamples& b);

/// One comparison between two policies.
struct PolicyJudgement {
  std::string id;       ///< the post's
  std::string pair_id;  ///< groups judgements of the same pair by several workers
  std::string worker;
  PairOutcome pair;
};

struct PolicyJudgements {
  std::vector<PolicyJudgement> judgements;  ///< without duplicates (`RepeatedJudgements`)
  std::int64_t repeated = 0;                ///< how many these are (`RepeatedJudgements`)
};

/// The comparisons of `files` whose two summaries are of `policies`, a and b, in either order.
/// Throws Error naming the pairs of policies that there are if these are not among them.
[[nodiscard]] PolicyJudgements read_judgements(const std::vector<std::string>& files,
                                               const std::vector<std::string>& policies);

}  // namespace precis
