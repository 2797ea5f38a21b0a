// A decoder transformer as data: every choice that distinguishes one family from another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.hpp"

namespace precis {

enum class ModelKind : std::uint8_t { language, reward, value };
enum class NormKind : std::uint8_t { layer_norm, rms_norm };
enum class PositionKind : std::uint8_t { learned, rotary };
enum class ActivationKind : std::uint8_t { gelu_tanh, gelu_erf, gated_silu };
enum class AttentionBias : std::uint8_t { none, query_key_value, all };
enum class ResidualKind : std::uint8_t { sequential, parallel };
/// Initial weights: GPT-2's deviation 0.02 everywhere, or deviations scaled to the width (RECIPE:
/// copying emerges only with these in a small model).
enum class Initialization : std::uint8_t { gpt2, scaled };

struct ModelConfig {
  ModelKind kind = ModelKind::language;
  std::string family =
      "precis";  ///< Hugging Face's architecture name, or "precis" for random weights
  std::int64_t layers = 2;
  std::int64_t width = 128;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 0;   ///< 0: as many as heads
  std::int64_t head_dim = 0;   ///< 0: width / heads
  std::int64_t mlp_width = 0;  ///< 0: 4 * width
  std::int64_t context = 1024;
  NormKind norm = NormKind::layer_norm;
  double norm_epsilon = 1e-5;
  PositionKind position = PositionKind::learned;
  double rotary_fraction = 1.0;
  double rotary_base = 10000.0;
  ActivationKind activation = ActivationKind::gelu_tanh;
  AttentionBias attention_bias = AttentionBias::all;
  bool mlp_bias = true;
  ResidualKind residual = ResidualKind::sequential;
  bool tied = true;
  Initialization init = Initialization::gpt2;

  std::int64_t vocabulary = 0;
  std::vector<std::int32_t> end_tokens;
  /// Hugging Face's `bos_token_id`, none or one: what a text begins with, if `data.bos` asks for a
  /// begin token that the tokenizer does not add by itself.
  std::vector<std::int32_t> begin_tokens;
  double reward_shift = 0.0;  ///< Subtracted from rewards and values.
  std::string source_dtype = "f32";
  /// What an imported folder said beyond this, for its export: the keys of its
  /// generation_config.json and of its config.json that precis has no use for, each a JSON object.
  /// Empty: there was nothing.
  std::string generation_config;
  std::string other_config;

  [[nodiscard]] std::int64_t query_width() const { return heads * head_dim; }
  [[nodiscard]] std::int64_t kv_width() const { return kv_heads * head_dim; }
  /// Dimensions of a head that rotate: an even part of head_dim.
  [[nodiscard]] std::int64_t rotary_dims() const;
  [[nodiscard]] bool ends_with(std::int32_t token) const;
  /// The token appended to responses. Throws Error when the model has none.
  [[nodiscard]] std::int32_t end_token() const;
  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

/// "language", "reward", "value".
[[nodiscard]] std::string_view to_string(ModelKind kind);

/// Replaces zeros (kv_heads, head_dim, mlp_width) by the values that they mean and checks that
/// everything fits together; throws Error with the key, what was found and what was expected.
void complete(ModelConfig& config);

/// The flat JSON object of a model file's /config, and back. `where` names the file in errors.
[[nodiscard]] std::string to_json(const ModelConfig& config);
[[nodiscard]] ModelConfig config_from_json(std::string_view text, const std::string& where);

/// Registers the `model.` keys (CONTRACT section 2); `source` says where the default shape comes
/// from.
void add_model_options(OptionTable& table, ModelConfig& config,
                       const std::string& source = "embedded task");

/// The number of parameters.
[[nodiscard]] std::int64_t parameter_count(const ModelConfig& config);

}  // namespace precis
