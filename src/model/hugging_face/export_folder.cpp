#include <fmt/format.h>

#include "base/error.hpp"
#include "data/tokenizer.hpp"
#include "io/output_file.hpp"
#include "io/output_folder.hpp"
#include "model/families/family.hpp"
#include "model/hugging_face/folder.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "config.json";
constexpr const char* generation_name = "generation_config.json";
constexpr const char* weights_name = "model.safetensors";
constexpr const char* tokenizer_name = "tokenizer.json";
constexpr const char* tokenizer_config_name = "tokenizer_config.json";

const char* torch_name(WeightDType dtype) {
  switch (dtype) {
    case WeightDType::bf16:
      return "bfloat16";
    case WeightDType::f16:
      return "float16";
    case WeightDType::f32:
      break;
  }
  return "float32";
}

Json end_tokens_json(const ModelConfig& config) {
  if (config.end_tokens.empty()) {
    return nullptr;
  }
  return config.end_tokens.size() == 1 ? Json(config.end_tokens.front()) : Json(config.end_tokens);
}

Json begin_token_json(const ModelConfig& config) {
  return config.begin_tokens.empty() ? Json(nullptr) : Json(config.begin_tokens.front());
}

/// What was kept of an imported file.
Json kept(const std::string& text) { return text.empty() ? Json::object() : Json::parse(text); }

Json config_json(const Family& family, const ModelConfig& config, WeightDType dtype) {
  Json json = kept(config.other_config);
  json.update(write_settings(family, config));
  json["architectures"] = Json::array({family.architecture});
  json["model_type"] = family.model_type;
  json["torch_dtype"] = torch_name(dtype);
  json["eos_token_id"] = end_tokens_json(config);
  json["bos_token_id"] = begin_token_json(config);
  return json;
}

Json generation_json(const ModelConfig& config) {
  Json json = kept(config.generation_config);
  json["eos_token_id"] = end_tokens_json(config);
  if (!config.begin_tokens.empty()) {
    json["bos_token_id"] = begin_token_json(config);
  }
  return json;
}

Json tokenizer_config_json(const ModelConfig& config, const std::string& tokenizer_json) {
  const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json);
  Json json{{"tokenizer_class", "PreTrainedTokenizerFast"},
            {"model_max_length", config.context},
            {"clean_up_tokenization_spaces", false}};
  const auto add = [&](const char* key, const std::vector<std::int32_t>& ids) {
    if (!ids.empty() && tokenizer.contains(ids.front())) {
      json[key] = tokenizer.token(ids.front());
    }
  };
  add("eos_token", config.end_tokens);
  add("bos_token", config.begin_tokens);
  return json;
}

void write_json(const fs::path& file, const Json& json) { write_file(file, json.dump(2) + "\n"); }

void write_weights(const fs::path& file, const Family& family, const Model& model,
                   WeightDType dtype, Device& device) {
  const auto tensors = family_tensors(family, model.config, model.parameters);
  std::size_t parts = 0;
  std::vector<std::vector<float>> values;
  std::vector<SafetensorsTensor> list;
  for (const FamilyTensor& tensor : tensors) {
    parts += tensor.parts.size();
    values.push_back(gather_parts(tensor, model.parameters, device));
    Shape shape;
    for (const std::int64_t extent : tensor.shape) {
      shape.append(extent);
    }
    list.push_back({tensor.full_name, view_of(values.back().data(), shape), dtype});
  }
  require(parts == model.parameters.specs().size(),
          "A {} has places for {} of the model's {} tensors only.", family.architecture, parts,
          model.parameters.specs().size());
  write_safetensors(file, list);
}

}  // namespace

WeightDType source_dtype(const ModelConfig& config) {
  if (config.source_dtype == "bf16") {
    return WeightDType::bf16;
  }
  return config.source_dtype == "f16" ? WeightDType::f16 : WeightDType::f32;
}

void export_folder(Device& device, const Model& model, const fs::path& folder, WeightDType dtype) {
  const Family& family = family_for(model.config);
  OutputFolder output(
      folder, {config_name, generation_name, weights_name, tokenizer_name, tokenizer_config_name});
  const fs::path& to = output.partial_path();
  write_json(to / config_name, config_json(family, model.config, dtype));
  write_json(to / generation_name, generation_json(model.config));
  if (!model.tokenizer.empty()) {
    const std::string json(model.tokenizer.begin(), model.tokenizer.end());
    write_file(to / tokenizer_name, json);
    write_json(to / tokenizer_config_name, tokenizer_config_json(model.config, json));
  }
  write_weights(to / weights_name, family, model, dtype, device);
  output.commit();
}

}  // namespace precis
