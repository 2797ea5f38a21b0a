// What fits into the memory of a device: the numbers that messages give, from what the code itself
// allocates on a counting device.
#pragma once

#include <cstdint>
#include <vector>

#include "device/device.hpp"
#include "kernels/out_of_memory.hpp"
#include "model/activations.hpp"
#include "model/config.hpp"
#include "model/parameters.hpp"

namespace precis {

/// Bytes of activations and scratch memory for each token on a device like this: of a forward and a
/// backward pass; or of forward passes that keep nothing.
[[nodiscard]] std::int64_t training_bytes_a_token(const ModelConfig& config, const Device& like,
                                                  const Activations& activations);
[[nodiscard]] std::int64_t inference_bytes_a_token(const ModelConfig& config, const Device& like);
/// The error with how many tokens at a time would fit what is free now beside `own_bytes`, which
/// this work holds already.
[[nodiscard]] OutOfMemory with_fitting_tokens(const OutOfMemory& error, const Device& device,
                                              std::int64_t own_bytes, std::int64_t bytes_a_token);
/// The error with how many of these sequences, which fill so many blocks of the KV cache each,
/// would fit what is free now; `place` is this rank's in the model.
[[nodiscard]] OutOfMemory with_fitting_sequences(const OutOfMemory& error, const Device& device,
                                                 const ModelConfig& config, const ModelPlace& place,
                                                 std::int64_t sequences,
                                                 std::int64_t blocks_a_sequence);
/// The error with how large a model of this kind the device could hold; `moments`: the share of the
/// optimizer's moments that it holds in training.
[[nodiscard]] OutOfMemory with_fitting_model(const OutOfMemory& error, const Device& device,
                                             const std::vector<ParameterSpec>& specs,
                                             double moments = 1.0);

}  // namespace precis
