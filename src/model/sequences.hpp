// Prompts with their responses: packed into batches, and where their tokens are predicted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/packing.hpp"
#include "model/heads.hpp"

namespace precis {

/// A prompt, never empty, and a response to it, in memory that somebody else owns.
struct Sequence {
  std::span<const std::int32_t> prompt;
  std::span<const std::int32_t> response;

  [[nodiscard]] std::int64_t size() const {
    return static_cast<std::int64_t>(prompt.size() + response.size());
  }
};

/// The rows of a packed batch in which the tokens of the responses are predicted, and these tokens.
/// A response token that is the sequence's first has no such row and is left out.
[[nodiscard]] TokenTargets response_targets(std::span<const Sequence> sequences);
/// The sequences without their last token, which predicts nothing, read at all rows; and read where
/// the tokens of the responses are predicted.
[[nodiscard]] PackedBatch pack_inputs(std::span<const Sequence> sequences);
[[nodiscard]] PackedBatch pack_for_responses(std::span<const Sequence> sequences);
/// The whole sequences, read at all rows; and read at the last token of each.
[[nodiscard]] PackedBatch pack_whole(std::span<const Sequence> sequences);
[[nodiscard]] PackedBatch pack_for_rewards(std::span<const Sequence> sequences);
/// How many tokens each sequence has.
[[nodiscard]] std::vector<std::int64_t> lengths_of(std::span<const Sequence> sequences);
/// Splits by the tokens that `pack_inputs` or `pack_whole` would have, give or take one per
/// sequence.
[[nodiscard]] std::vector<MicroBatch> split_sequences(std::span<const Sequence> sequences,
                                                      std::int64_t micro_batch_tokens);

}  // namespace precis
