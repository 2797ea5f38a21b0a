// The reference cases under tests/golden/model, and models with the weights that their script uses.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "model/evaluator.hpp"
#include "model/families/family.hpp"

namespace precis {

/// Element `index` of the weight `name`, as make_model_golden.py's `weight` makes it.
[[nodiscard]] float golden_weight(const std::string& name, bool is_vector, std::uint64_t index);

/// A prompt and its response, owned.
struct Text {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> response;

  [[nodiscard]] Sequence sequence() const { return {prompt, response}; }
};

struct GoldenCase {
  nlohmann::json json;
  const Family* family = nullptr;  ///< null: the case has precis's own names
  ModelConfig config;
  std::vector<Text> texts;
  std::vector<double> losses;
  std::vector<float> read;                              ///< log-probs or rewards
  std::map<std::string, std::vector<float>> gradients;  ///< by the case's names

  [[nodiscard]] std::vector<Sequence> sequences() const;
};

[[nodiscard]] std::filesystem::path golden_folder();
[[nodiscard]] GoldenCase read_case(const std::string& name);
/// A model with the case's weights.
[[nodiscard]] Model make_golden_model(Device& device, const GoldenCase& of);
/// Tensors of the case by its names: parameters or gradients.
[[nodiscard]] std::map<std::string, std::vector<float>> by_case_names(const GoldenCase& of,
                                                                      const Parameters& tensors,
                                                                      Device& device);

}  // namespace precis
