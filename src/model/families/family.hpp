// What a family of Hugging Face models is: tables of its settings and of its tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/config.hpp"
#include "model/parameters.hpp"

namespace precis {

using Json = nlohmann::json;

/// One key of config.json. A key that is absent means `fallback`.
struct FamilySetting {
  std::string key;
  Json fallback;
  std::string expected;  ///< for messages: "a whole number of at least 1"
  /// Sets what the value means; false: the value is not as expected, or not supported.
  std::function<bool(ModelConfig&, const Json& value)> read;
  std::function<Json(const ModelConfig&)> write;
};

/// A number of the configuration that both sides have.
[[nodiscard]] FamilySetting whole_number(std::string key, Json fallback,
                                         std::int64_t ModelConfig::*field);
/// The same; null means that precis derives it (0).
[[nodiscard]] FamilySetting whole_number_or_null(std::string key, std::int64_t ModelConfig::*field);
[[nodiscard]] FamilySetting positive_number(std::string key, Json fallback,
                                            double ModelConfig::*field);
[[nodiscard]] FamilySetting yes_or_no(std::string key, bool fallback, bool ModelConfig::*field);
/// Words for the MLP's activation; the first that fits is written.
[[nodiscard]] FamilySetting activation_word(
    std::string key, std::string fallback,
    std::vector<std::pair<std::string, ActivationKind>> words);
/// A setting of which precis supports one value only.
[[nodiscard]] FamilySetting only(std::string key, Json value);

/// How a matrix is stored in the family's files.
enum class MatrixLayout : std::uint8_t { out_in, in_out };

/// One tensor of a family's files. In names `{}` stands for the layer's number, and a tensor with
/// it exists in every layer.
struct FamilyTensorRule {
  std::string name;
  /// The tensors of a model file that it is made of, one after the other along the output axis.
  std::vector<std::string> parts;
  MatrixLayout layout = MatrixLayout::out_in;
  bool in_body = true;  ///< its name begins with the family's prefix
};

struct Family {
  std::string architecture;  ///< "GPT2LMHeadModel"
  std::string model_type;    ///< "gpt2"
  std::string body_prefix;   ///< of the names of the body's tensors; files may leave it out
  ModelConfig choices;       ///< what every model of the family has, whatever its settings
  std::vector<FamilySetting> settings;
  std::vector<FamilyTensorRule> tensors;
  /// With a tied head, files may repeat the embedding (second) under another name (first).
  std::pair<std::string, std::string> tied_copy;
  std::vector<std::string> ignored;  ///< tensors of the body without parameters
};

/// Every supported family. A new one is a table beside this one's, and a line in families.cpp.
[[nodiscard]] const std::vector<Family>& families();
[[nodiscard]] Family gpt2_family();

/// The configuration that a config.json of this family describes, complete. Throws Error beginning
/// with `where` that names the setting, what was found and what is supported.
[[nodiscard]] ModelConfig read_settings(const Family& family, const Json& json,
                                        const std::string& where);
/// The settings of a config.json that describe `config`. Throws Error naming what the family cannot
/// express.
[[nodiscard]] Json write_settings(const Family& family, const ModelConfig& config);
/// The family named in `config`, or else the first that can express it. Throws Error saying why
/// none can.
[[nodiscard]] const Family& family_for(const ModelConfig& config);

/// A tensor of a family, found in the parameters of one model.
struct FamilyTensor {
  std::string name;                 ///< without prefix
  std::string full_name;            ///< as it is written
  std::vector<int> parts;           ///< places in the parameters
  std::vector<std::int64_t> shape;  ///< in the family's files
  MatrixLayout layout = MatrixLayout::out_in;
};

/// Every tensor that the family's files of this model have.
[[nodiscard]] std::vector<FamilyTensor> family_tensors(const Family& family,
                                                       const ModelConfig& config,
                                                       const Parameters& parameters);
/// The elements of a tensor as the family's files hold them.
[[nodiscard]] std::vector<float> gather_parts(const FamilyTensor& tensor,
                                              const Parameters& parameters, Device& device);
/// Writes them to the parameters; the caller must report the change.
void scatter_parts(const FamilyTensor& tensor, std::span<const float> values,
                   Parameters& parameters, Device& device);

/// The names that a pattern stands for: one for each layer where it has `{}`.
[[nodiscard]] std::vector<std::string> expanded(const std::string& pattern, std::int64_t layers);

}  // namespace precis
