// What fits into the memory of a device: the numbers that messages and plans give.
#pragma once

#include <cstdint>

#include "kernels/out_of_memory.hpp"
#include "model/config.hpp"
#include "tensor/device.hpp"

namespace precis {

/// Bytes of activations a token: those that every block keeps for its backward pass, which works on
/// the gradients of one block at a time; or those of a forward pass that keeps nothing.
[[nodiscard]] std::int64_t training_bytes_a_token(const ModelConfig& config, DType precision);
[[nodiscard]] std::int64_t inference_bytes_a_token(const ModelConfig& config, DType precision);
/// The error with how many tokens at a time would fit what is free now beside `own_bytes`, which
/// this work holds already.
[[nodiscard]] OutOfMemory with_fitting_tokens(const OutOfMemory& error, const Device& device,
                                              std::int64_t own_bytes, std::int64_t bytes_a_token);
/// The error with how many of these sequences, which fill so many blocks of the KV cache each,
/// would fit what is free now.
[[nodiscard]] OutOfMemory with_fitting_sequences(const OutOfMemory& error, const Device& device,
                                                 const ModelConfig& config, std::int64_t sequences,
                                                 std::int64_t blocks_a_sequence);
/// The error with how large a model the device could hold.
[[nodiscard]] OutOfMemory with_fitting_model(const OutOfMemory& error, const Device& device,
                                             std::int64_t parameters);

}  // namespace precis
