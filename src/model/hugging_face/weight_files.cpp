#include "model/hugging_face/weight_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "io/state_file.hpp"
#include "model/finite.hpp"

namespace precis {
namespace {

constexpr std::size_t most_named = 4;

}  // namespace

WeightFiles::WeightFiles(const std::filesystem::path& folder, const Family& family,
                         const ModelConfig& config, std::vector<std::string>& notes)
    : folder_(folder.string()), family_(&family), reader_(folder) {
  if (const auto& others = reader_.left_aside(); !others.empty()) {
    notes.push_back(fmt::format("The weights are those of {}; {} {} left aside.", reader_.source(),
                                listed(others, most_named), others.size() == 1 ? "was" : "were"));
  }
  for (const auto& [name, entry] : reader_.tensors()) {
    std::string bare = name;
    if (bare.starts_with(family.body_prefix)) {
      bare.erase(0, family.body_prefix.size());
    }
    const auto [place, is_new] = names_.emplace(bare, name);
    require(is_new, "{} holds a tensor twice, as {} and as {}.", folder_, place->second, name);
  }
  const auto& [copy, original] = family.tied_copy;
  if (config.tied && has(copy) && !has(original)) {
    notes.push_back(fmt::format("The files have no {}; {}, which it is tied to, was taken for it.",
                                original, copy));
    auto node = names_.extract(copy);
    node.key() = original;
    names_.insert(std::move(node));
  }
}

const SafetensorsEntry& WeightFiles::at(const std::string& name) const {
  return reader_.at(names_.at(name));
}

std::vector<float> WeightFiles::read(const std::string& name) const {
  std::vector<float> values = reader_.read_f32(names_.at(name));
  require_finite(values, at(name).file.string(), names_.at(name));
  return values;
}

std::string WeightFiles::dtype(const std::vector<FamilyTensor>& tensors,
                               std::vector<std::string>& notes) const {
  constexpr std::array<std::pair<const char*, const char*>, 4> words{
      {{"F32", "f32"}, {"BF16", "bf16"}, {"F16", "f16"}, {"F64", "f64"}}};
  std::set<std::string> found;
  for (const FamilyTensor& tensor : tensors) {
    const std::string& dtype = at(tensor.name).dtype;
    const auto* const word = std::find_if(words.begin(), words.end(),
                                          [&](const auto& known) { return known.first == dtype; });
    require(word != words.end(), "{}: the tensor {} is {}; expected F32, BF16, F16 or F64.",
            folder_, names_.at(tensor.name), dtype);
    found.insert(word->second);
  }
  if (found.size() == 1) {
    return *found.begin();
  }
  notes.push_back(fmt::format(
      "The weights are of several dtypes ({}); an export is f32 unless --dtype says otherwise.",
      joined(std::vector<std::string>(found.begin(), found.end()), ", ")));
  return "f32";
}

void WeightFiles::check(const std::vector<FamilyTensor>& wanted, const ModelConfig& config) const {
  std::set<std::string> known;
  std::vector<std::string> missing;
  for (const FamilyTensor& tensor : wanted) {
    known.insert(tensor.name);
    if (!has(tensor.name)) {
      missing.push_back(tensor.full_name);
    }
  }
  require(missing.empty(), "{} lacks {} of the {} tensors of a {} with these settings: {}.",
          folder_, missing.size(), wanted.size(), family_->architecture,
          listed(missing, most_named));
  for (const FamilyTensor& tensor : wanted) {
    const auto& shape = at(tensor.name).shape;
    require(shape == tensor.shape, "{}: the tensor {} has the shape {}; expected {}.", folder_,
            names_.at(tensor.name), to_string(shape), to_string(tensor.shape));
  }
  for (const std::string& pattern : family_->ignored) {
    for (const std::string& name : expanded(pattern, config.layers)) {
      known.insert(name);
    }
  }
  check_tied_copy(config, known);
  std::vector<std::string> left_over;
  for (const auto& [name, full_name] : names_) {
    if (known.count(name) == 0) {
      left_over.push_back(full_name);
    }
  }
  require(left_over.empty(), "{} holds {} tensors that a {} with these settings does not have: {}.",
          folder_, left_over.size(), family_->architecture, listed(left_over, most_named));
}

void WeightFiles::check_tied_copy(const ModelConfig& config, std::set<std::string>& known) const {
  const auto& [copy, original] = family_->tied_copy;
  if (!config.tied || !has(copy)) {
    return;
  }
  known.insert(copy);
  const SafetensorsEntry& a = at(copy);
  const SafetensorsEntry& b = at(original);
  require(a.dtype == b.dtype && a.shape == b.shape &&
              std::memcmp(a.bytes, b.bytes, static_cast<std::size_t>(a.size_bytes)) == 0,
          "{}: {} and {} differ, but `tie_word_embeddings` is true. Set it to false in config.json "
          "if the model has an output matrix of its own.",
          folder_, copy, original);
}

}  // namespace precis
