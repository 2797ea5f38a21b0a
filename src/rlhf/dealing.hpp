// Which copy of the rollout's policy generates which episodes of a batch: by what they are expected
// to cost.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace precis {

/// The places of a batch in one list for each of `copies`, each rising, so that the largest sum of
/// costs is small: the dearest first, each to the copy with the least so far (Graham 1969, at most
/// 4/3 of the best), ties to the lower place and copy. Depends on nothing else, so that all ranks
/// deal alike.
[[nodiscard]] std::vector<std::vector<std::int64_t>> deal(std::span<const std::int64_t> costs,
                                                          int copies);

/// Tokens of an episode that pass through the model: its prompt, and as many of its response as it
/// may have. What a response will cost is not known; that prompts differ is.
[[nodiscard]] inline std::int64_t expected_cost(std::int64_t prompt_tokens,
                                                std::int64_t most_response_tokens) {
  return prompt_tokens + most_response_tokens;
}

}  // namespace precis
