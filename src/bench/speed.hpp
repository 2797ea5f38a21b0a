// The speed of whole training steps and of generation.
#pragma once

#include <vector>

#include "bench/measure.hpp"
#include "model/model.hpp"
#include "parallel/rank_group.hpp"
#include "train/machine.hpp"

namespace precis {

/// Forward, backward, clipping and AdamW of `batch` sequences of which `length` tokens each are
/// predicted. Its FLOP: 6 N + 6 L C T a token, of N parameters that a token is multiplied with, L
/// blocks, attention of width C and T tokens per sequence.
[[nodiscard]] Measurement measure_training(const Timing& timing, Machine& machine, Model& model,
                                           RankGroup& world, std::int64_t batch,
                                           std::int64_t length, std::int64_t micro_batch_tokens);

/// Generation for a count of sequences: first the prompts, up to the first token of each response,
/// then the decoding of the others, sampling included. The work of both: 2 FLOP a token and weight
/// it is multiplied with, those of attention, and the bytes of the weights and of the cache, once a
/// step.
[[nodiscard]] std::vector<Measurement> measure_generation(const Timing& timing, const Model& model,
                                                          std::int64_t sequences,
                                                          std::int64_t prompt_tokens,
                                                          std::int64_t new_tokens);

}  // namespace precis
