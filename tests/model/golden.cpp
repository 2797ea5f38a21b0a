#include "model/golden.hpp"

#include <cstdlib>

#include "base/error.hpp"
#include "io/output_file.hpp"
#include "io/safetensors.hpp"

namespace precis {
namespace {

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

std::uint64_t hash_of(const std::string& name) {
  std::uint64_t value = 0xCBF29CE484222325U;
  for (const char byte : name) {
    value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
  }
  return value;
}

/// One of the case's tensors: made of one or several of ours.
std::vector<FamilyTensor> case_tensors(const GoldenCase& of, const Parameters& parameters) {
  if (of.family != nullptr) {
    return family_tensors(*of.family, of.config, parameters);
  }
  std::vector<FamilyTensor> tensors;
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    const ParameterSpec& spec = parameters.specs()[i];
    tensors.push_back({.name = spec.name,
                       .full_name = spec.name,
                       .parts = {static_cast<int>(i)},
                       .shape = spec.shard.global_shape});
  }
  return tensors;
}

}  // namespace

float golden_weight(const std::string& name, bool is_vector, std::uint64_t index) {
  const auto bits = static_cast<double>(mixed(hash_of(name) + index) >> 40U);
  const double value = (bits / 8388608.0 - 1.0) / 4.0;
  return static_cast<float>(is_vector && name.ends_with("weight") ? 1.0 + value : value);
}

std::vector<Sequence> GoldenCase::sequences() const {
  std::vector<Sequence> out;
  for (const Text& text : texts) {
    out.push_back(text.sequence());
  }
  return out;
}

std::filesystem::path golden_folder() {
  const char* const given = std::getenv("PRECIS_GOLDEN");  // where the sources are not
  return given != nullptr ? given
                          : std::filesystem::path(PRECIS_SOURCE_DIR) / "tests" / "golden" / "model";
}

GoldenCase read_case(const std::string& name) {
  GoldenCase of;
  const auto file = golden_folder() / (name + ".json");
  of.json = nlohmann::json::parse(read_file(file));
  const auto& config = of.json.at("config");
  if (config.contains("model_type")) {
    for (const Family& family : families()) {
      if (family.model_type == config.at("model_type")) {
        of.family = &family;
      }
    }
    require(of.family != nullptr, "{}: unknown family.", file.string());
    of.config = read_settings(*of.family, config, file.string());
  } else {
    of.config = config_from_json(config.dump(), file.string());
  }
  for (const auto& sequence : of.json.at("sequences")) {
    of.texts.push_back({sequence.at("prompt").get<std::vector<std::int32_t>>(),
                        sequence.at("response").get<std::vector<std::int32_t>>()});
  }
  of.losses = of.json.at("losses").get<std::vector<double>>();
  const SafetensorsReader tensors(golden_folder() / (name + ".safetensors"));
  const std::string prefix = "gradient/";
  for (const auto& [key, entry] : tensors.tensors()) {
    if (key == "read") {
      of.read = tensors.read_f32(key);
    } else {
      of.gradients[key.substr(prefix.size())] = tensors.read_f32(key);
    }
  }
  return of;
}

Model make_golden_model(Device& device, const GoldenCase& of) {
  Model model{of.config, {}, Parameters(device, parameter_specs(of.config))};
  for (const FamilyTensor& tensor : case_tensors(of, model.parameters)) {
    std::int64_t count = 1;
    for (const std::int64_t extent : tensor.shape) {
      count *= extent;
    }
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = golden_weight(tensor.full_name, tensor.shape.size() == 1, i);
    }
    scatter_parts(tensor, values, model.parameters, device);
  }
  model.parameters.changed();
  return model;
}

std::map<std::string, std::vector<float>> by_case_names(const GoldenCase& of,
                                                        const Parameters& tensors, Device& device) {
  std::map<std::string, std::vector<float>> out;
  for (const FamilyTensor& tensor : case_tensors(of, tensors)) {
    out[tensor.full_name] = gather_parts(tensor, tensors, device);
  }
  return out;
}

}  // namespace precis
