// A model in memory: configuration, tokenizer and parameters; how it is read, written and
// converted.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "io/model_file.hpp"
#include "model/parameters.hpp"

namespace precis {

struct Model {
  ModelConfig config;
  std::vector<std::uint8_t> tokenizer;  ///< bytes of tokenizer.json; empty: the model has none
  Parameters parameters;
};

/// A model with random weights, or what a rank holds of it.
[[nodiscard]] Model make_model(Device& device, const ModelConfig& config,
                               std::vector<std::uint8_t> tokenizer, std::uint64_t seed,
                               const ModelRanks& ranks = {});

/// The configuration and tokenizer only.
struct ModelHead {
  ModelConfig config;
  std::vector<std::uint8_t> tokenizer;
};
[[nodiscard]] ModelHead load_model_head(const ModelReader& file,
                                        std::initializer_list<ModelKind> wanted);

/// A model with this head whose weights are still to be read: they hold whatever was in memory.
[[nodiscard]] Model allocate_model(Device& device, ModelHead head, const ModelRanks& ranks = {});

/// Reads a model file, or a part of a checkpoint (CONTRACT section 4): what this one of the ranks
/// holds of it. Throws Error naming file, kind found and kinds wanted; or the tensor that is
/// missing, left over, of another shape, or holds elements that are not finite.
[[nodiscard]] Model load_model(Device& device, const std::filesystem::path& path,
                               std::initializer_list<ModelKind> wanted,
                               const std::string& part = "", const ModelRanks& ranks = {});

/// Reads one weight of a model. Throws Error as `load_model`.
void read_weight(Device& device, View tensor, const ModelReader& file, const ParameterSpec& spec);

/// Writes a model file of a whole model, under its name only when it is complete.
void save_model(const std::filesystem::path& path, const ModelConfig& config,
                const std::vector<std::uint8_t>& tokenizer, const Parameters& parameters,
                Device& device);

/// Reads tensors with the parameters' names from `path_of(part, name)`: the moments of Adam. Throws
/// Error for one with elements that are not finite.
using TensorPath = std::string (*)(std::string_view part, std::string_view name);
void read_tensors(const StateReader& file, std::string_view part, TensorPath path_of,
                  Parameters& tensors, Device& device);

/// The same body with a new scalar head: a reward model from a language model (RECIPE, "Models and
/// stages"). The head's initial weights follow from `seed`.
[[nodiscard]] Model with_scalar_head(Device& device, const Model& body, ModelKind kind,
                                     std::uint64_t seed);

}  // namespace precis
