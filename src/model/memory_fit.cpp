#include "model/memory_fit.hpp"

#include "base/text.hpp"
#include "kernels/kernels.hpp"

namespace precis {
namespace {

/// Numbers that a block keeps of each token between its forward and its backward pass: both norms,
/// both residual sums, queries, keys, values, the heads' results, and the MLP before and after its
/// activation.
std::int64_t block_numbers(const ModelConfig& c) {
  const std::int64_t up = c.activation == ActivationKind::gated_silu ? 2 : 1;
  return 4 * c.width + 2 * c.query_width() + 2 * c.kv_width() + (up + 1) * c.mlp_width;
}

}  // namespace

std::int64_t training_bytes_a_token(const ModelConfig& c, DType precision) {
  // Beside the blocks: embedding, final norm, and the gradients of both.
  return ((c.layers + 1) * block_numbers(c) + 4 * c.width) * size_of(precision);
}

std::int64_t inference_bytes_a_token(const ModelConfig& c, DType precision) {
  // Nobody reads GELU's input.
  const std::int64_t left_out = c.activation == ActivationKind::gated_silu ? 0 : c.mlp_width;
  return (block_numbers(c) - left_out + 2 * c.width) * size_of(precision);
}

OutOfMemory with_fitting_tokens(const OutOfMemory& error, const Device& device,
                                std::int64_t own_bytes, std::int64_t bytes_a_token) {
  const std::int64_t room = device.memory().space().free + own_bytes;
  return error.with(
      fmt::format("About {} tokens at a time would fit.", with_thousands(room / bytes_a_token)));
}

OutOfMemory with_fitting_sequences(const OutOfMemory& error, const Device& device,
                                   const ModelConfig& c, std::int64_t sequences,
                                   std::int64_t blocks_a_sequence) {
  const std::int64_t block_bytes =
      2 * c.layers * c.kv_width() * attention_block * size_of(device.precision());
  return error.with(fmt::format(
      "{} sequences of up to {} tokens were to be generated at a time; about {} would fit.",
      with_thousands(sequences), with_thousands(blocks_a_sequence * attention_block),
      with_thousands(device.memory().space().free / (blocks_a_sequence * block_bytes))));
}

OutOfMemory with_fitting_model(const OutOfMemory& error, const Device& device,
                               std::int64_t parameters) {
  // Parameters, gradients and two moments are f32; a packed copy is for each of the two products,
  // or for both.
  const std::int64_t pack = size_of(device.precision());
  const std::int64_t packs = device.backend().one_pack ? 1 : 2;
  const std::int64_t training = 4 * size_of(DType::f32) + packs * pack;
  const std::int64_t inference = size_of(DType::f32) + pack;
  const std::int64_t total = device.memory().space().total;
  return error.with(
      fmt::format("The model has {} parameters; this device has room for about {} in training and "
                  "{} otherwise, "
                  "all models together.",
                  with_thousands(parameters), with_thousands(total / training),
                  with_thousands(total / inference)));
}

}  // namespace precis
