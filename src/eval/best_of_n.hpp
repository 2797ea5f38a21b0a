// What the best of n samples by a reward model is worth, for every n from one set of samples.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/estimate_json.hpp"

namespace precis {

/// A number for each sample of each row.
using SampleValues = std::vector<std::vector<double>>;

/// The mean over all subsets of n samples of the value of the one with the highest reward; where
/// several have it, of their mean. Sorted by reward, sample i of N (from 1) is the best of
/// C(i-1, n-1) of the C(N, n) subsets (the estimator of Nakano 2021, WebGPT).
[[nodiscard]] double expected_value_of_best(std::span<const double> rewards,
                                            std::span<const double> values, std::int64_t n);

/// The KL divergence of best-of-n from the policy that samples, in nats: ln n - (n-1)/n (Stiennon
/// 2020, appendix G.3). An upper bound where samples repeat.
[[nodiscard]] double best_of_n_kl(std::int64_t n);

struct BestOfN {
  std::int64_t n = 1;
  double kl = 0;
  Mean reward;
  std::optional<Mean> gold;                ///< of the sample that the reward chose
  std::optional<Rate> against_references;  ///< its win rate under gold
};

/// For n = 1, 2, 4, ... up to `most` and the number of samples, means in which each post counts the
/// same. `gold` and `wins` (1, 1/2 or 0 against the reference) may be empty, else have the layout
/// of `rewards`; `posts` are the numbers of the rows' posts.
[[nodiscard]] std::vector<BestOfN> best_of_n(const SampleValues& rewards, const SampleValues& gold,
                                             const SampleValues& wins,
                                             std::span<const std::uint64_t> posts,
                                             std::int64_t most);

/// Which of the first n samples has the highest reward, the first of several.
[[nodiscard]] std::size_t best_of_first(std::span<const double> rewards, std::int64_t n);

[[nodiscard]] std::string to_text(const std::vector<BestOfN>& table);
[[nodiscard]] nlohmann::ordered_json to_json(const std::vector<BestOfN>& table);

}  // namespace precis
