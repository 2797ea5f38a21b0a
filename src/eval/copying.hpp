// How much of a summary is copied from its post.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "eval/estimate_json.hpp"

namespace precis {

/// On the lower-cased words of [a-z0-9] (`rouge_words` without stems).
struct Copying {
  std::int64_t longest_run = 0;  ///< words in a row that the post has in the same order
  double longest_share = 0;      ///< the same as a share of the summary's words
  /// Shares of the summary's n-grams, n = 1 to 4, that occur in the post; each counts as often as
  /// it occurs. Nothing where the summary has fewer than n words.
  std::array<std::optional<double>, 4> ngrams;
};

[[nodiscard]] Copying copying(std::string_view summary, std::string_view post);

/// Means over summaries.
struct CopyingMeans {
  Mean longest_run;
  Mean longest_share;
  std::array<std::optional<Mean>, 4> ngrams;  ///< over the summaries that have n words
};
/// Each post counts the same; `posts` are the numbers of the summaries' posts. `samples` must not
/// be empty.
[[nodiscard]] CopyingMeans mean_of(std::span<const Copying> samples,
                                   std::span<const std::uint64_t> posts);

/// {"longest_run","longest_share","ngrams":[...]}
[[nodiscard]] nlohmann::ordered_json to_json(const Copying& copying);
[[nodiscard]] nlohmann::ordered_json to_json(const CopyingMeans& means);

}  // namespace precis
