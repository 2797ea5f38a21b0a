#include "model/families.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "data/tokenizer.hpp"
#include "io/jsonl.hpp"
#include "io/output_file.hpp"
#include "io/output_folder.hpp"
#include "io/safetensors.hpp"
#include "model/families/family.hpp"

namespace precis {

const std::vector<Family>& families() {
  static const std::vector<Family> all{gpt2_family()};
  return all;
}

namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "config.json";
constexpr const char* generation_name = "generation_config.json";
constexpr const char* weights_name = "model.safetensors";
constexpr const char* tokenizer_name = "tokenizer.json";
constexpr const char* tokenizer_config_name = "tokenizer_config.json";
/// The precision of the weights that were imported, which an f32 folder would lose.
constexpr const char* source_dtype_key = "source_dtype";

// ---------------------------------------------------------------------------------------------
// reading

Json read_object(const fs::path& file) {
  Json json = parse_json(read_file(file), file.string());
  require(json.is_object(), "{}: found {}, expected a JSON object.", file.string(),
          json.type_name());
  return json;
}

const Family& find_family(const Json& config, const std::string& where) {
  std::string wanted;
  std::vector<std::string> known;
  const Json* architectures = find_field(config, "architectures");
  const bool named = architectures != nullptr && !architectures->is_null();
  if (named) {
    require(architectures->is_array() && architectures->size() == 1 &&
                architectures->front().is_string(),
            "{}: `architectures` is {}; expected a list with one name.", where,
            architectures->dump());
    wanted = architectures->front().get<std::string>();
  } else if (const Json* type = find_field(config, "model_type"); type != nullptr) {
    wanted = type->is_string() ? type->get<std::string>() : type->dump();
  }
  for (const Family& family : families()) {
    if (wanted == (named ? family.architecture : family.model_type)) {
      return family;
    }
    known.push_back(family.architecture);
  }
  require(!wanted.empty(), "{}: `architectures` is missing; expected one of {}.", where,
          joined(known, ", "));
  fail("{}: the architecture {} is not supported; expected one of {}.", where, wanted,
       joined(known, ", "));
}

/// The ids of `eos_token_id`: a number, a list or null.
std::vector<std::int64_t> read_end_tokens(const Json& json, const std::string& where) {
  const Json* found = find_field(json, "eos_token_id");
  if (found == nullptr || found->is_null()) {
    return {};
  }
  std::vector<std::int64_t> ids;
  for (const Json& id : found->is_array() ? *found : Json::array({*found})) {
    require(id.is_number_integer(),
            "{}: `eos_token_id` is {}; expected a token id, a list of ids, or null.", where,
            found->dump());
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

void set_end_tokens(ImportedModel& imported, const fs::path& folder, const Json& config) {
  ModelConfig& to = imported.model.config;
  std::vector<std::int64_t> ids;
  if (const fs::path file = folder / generation_name; fs::exists(file)) {
    ids = read_end_tokens(read_object(file), file.string());
  }
  if (ids.empty()) {
    ids = read_end_tokens(config, (folder / config_name).string());
  }
  for (const std::int64_t id : ids) {
    if (id >= 0 && id < to.vocabulary) {
      to.end_tokens.push_back(static_cast<std::int32_t>(id));
    } else {
      imported.notes.push_back(
          fmt::format("`eos_token_id` {} is outside the vocabulary of {} tokens and was left out.",
                      id, to.vocabulary));
    }
  }
}

bool has_tokenizer(const fs::path& folder) {
  constexpr std::array names{"tokenizer.json", "vocab.json", "encoder.json"};
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return fs::exists(folder / name); });
}

void add_tokenizer(ImportedModel& imported, const fs::path& folder) {
  ModelConfig& config = imported.model.config;
  if (!has_tokenizer(folder)) {
    imported.notes.emplace_back(
        "The folder has no tokenizer: the model takes and gives token ids only.");
  } else {
    const Tokenizer tokenizer = Tokenizer::load(folder.string());
    require(tokenizer.vocabulary() <= config.vocabulary,
            "{}: the tokenizer has ids up to {}, but the model's vocabulary has {} tokens.",
            folder.string(), tokenizer.vocabulary() - 1, config.vocabulary);
    const std::string& json = tokenizer.to_json();
    imported.model.tokenizer.assign(json.begin(), json.end());
    if (const auto end = tokenizer.find_added("<|endoftext|>");
        end.has_value() && config.end_tokens.empty()) {
      config.end_tokens = {*end};
    }
  }
  if (config.end_tokens.empty()) {
    imported.notes.emplace_back(
        "The model has no end token: `eos_token_id` names none, and neither does a tokenizer.");
  }
}

/// The precision of the weights: an export's note of what they were imported from, or theirs now.
std::string source_dtype(const Json& config, const std::string& dtype, const std::string& where) {
  constexpr std::array<std::pair<const char*, const char*>, 4> words{
      {{"F32", "f32"}, {"BF16", "bf16"}, {"F16", "f16"}, {"F64", "f64"}}};
  const Json* noted = find_field(config, source_dtype_key);
  for (const auto& [name, word] : words) {
    if (noted != nullptr ? *noted == word : dtype == name) {
      return word;
    }
  }
  fail("{}: found weights of {}; expected F32, BF16, F16 or F64.", where,
       noted != nullptr ? noted->dump() : dtype);
}

/// "a, b, c and 4 more".
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 4;
  const std::size_t shown = std::min(names.size(), most);
  std::string text = joined(std::span(names).first(shown), ", ");
  if (names.size() > shown) {
    text += fmt::format(" and {} more", names.size() - shown);
  }
  return text;
}

/// The weight files of a folder, with the names of their tensors as the family's tables have them.
class WeightFiles {
 public:
  WeightFiles(const fs::path& folder, const Family& family)
      : folder_(folder.string()), family_(&family), reader_(folder) {
    for (const auto& [name, entry] : reader_.tensors()) {
      std::string bare = name;
      if (bare.starts_with(family.body_prefix)) {
        bare.erase(0, family.body_prefix.size());
      }
      const auto [place, is_new] = names_.emplace(bare, name);
      require(is_new, "{} holds a tensor twice, as {} and as {}.", folder_, place->second, name);
    }
  }

  [[nodiscard]] bool has(const std::string& name) const { return names_.count(name) != 0; }
  [[nodiscard]] const SafetensorsEntry& at(const std::string& name) const {
    return reader_.at(names_.at(name));
  }
  [[nodiscard]] std::vector<float> read(const std::string& name) const {
    return reader_.read_f32(names_.at(name));
  }

  /// Throws Error unless the files hold these tensors, and else only what the family ignores.
  void check(const std::vector<FamilyTensor>& wanted, const ModelConfig& config) const {
    std::set<std::string> known;
    std::vector<std::string> missing;
    for (const FamilyTensor& tensor : wanted) {
      known.insert(tensor.name);
      if (!has(tensor.name)) {
        missing.push_back(tensor.full_name);
      }
    }
    require(missing.empty(), "{} lacks {} of the {} tensors of a {} with these settings: {}.",
            folder_, missing.size(), wanted.size(), family_->architecture, listed(missing));
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
    require(left_over.empty(), "{} holds {} tensors that a {} with these settings has not: {}.",
            folder_, left_over.size(), family_->architecture, listed(left_over));
  }

 private:
  void check_tied_copy(const ModelConfig& config, std::set<std::string>& known) const {
    const auto& [copy, original] = family_->tied_copy;
    if (!config.tied || !has(copy)) {
      return;
    }
    known.insert(copy);
    const SafetensorsEntry& a = at(copy);
    const SafetensorsEntry& b = at(original);
    require(a.dtype == b.dtype && a.shape == b.shape &&
                std::memcmp(a.bytes, b.bytes, static_cast<std::size_t>(a.size_bytes)) == 0,
            "{}: {} and {} differ, but `tie_word_embeddings` is true. Set it to false in {} if the "
            "model has an output matrix of its own.",
            folder_, copy, original, config_name);
  }

  std::string folder_;
  const Family* family_;
  SafetensorsReader reader_;
  std::map<std::string, std::string> names_;  // as in the tables -> as in the files
};

// ---------------------------------------------------------------------------------------------
// writing

Json end_tokens_json(const ModelConfig& config) {
  if (config.end_tokens.empty()) {
    return nullptr;
  }
  return config.end_tokens.size() == 1 ? Json(config.end_tokens.front()) : Json(config.end_tokens);
}

Json config_json(const Family& family, const ModelConfig& config) {
  Json json = write_settings(family, config);
  json["architectures"] = Json::array({family.architecture});
  json["model_type"] = family.model_type;
  json["torch_dtype"] = "float32";
  json["eos_token_id"] = end_tokens_json(config);
  json["bos_token_id"] = config.end_tokens.empty() ? Json(nullptr) : Json(config.end_tokens[0]);
  json[source_dtype_key] = config.source_dtype;
  return json;
}

Json generation_json(const ModelConfig& config) {
  return {{"eos_token_id", end_tokens_json(config)}};
}

Json tokenizer_config_json(const Model& model, const std::string& tokenizer_json) {
  const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json);
  Json json{{"tokenizer_class", "PreTrainedTokenizerFast"},
            {"model_max_length", model.config.context},
            {"clean_up_tokenization_spaces", false}};
  if (!model.config.end_tokens.empty() && tokenizer.contains(model.config.end_tokens.front())) {
    json["eos_token"] = tokenizer.token(model.config.end_tokens.front());
  }
  return json;
}

void write_json(const fs::path& file, const Json& json) { write_file(file, json.dump(2) + "\n"); }

void write_weights(const fs::path& file, const Family& family, const Model& model, Device& device) {
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
    list.push_back({tensor.full_name, view_of(values.back().data(), shape)});
  }
  require(parts == model.parameters.specs().size(),
          "A {} has places for {} of the model's {} tensors only.", family.architecture, parts,
          model.parameters.specs().size());
  write_safetensors(file, list);
}

}  // namespace

ImportedModel import_folder(Device& device, const fs::path& folder) {
  require(fs::exists(folder), "{} does not exist; expected a Hugging Face folder.",
          folder.string());
  require(fs::is_directory(folder),
          "{} is a file; expected a Hugging Face folder with config.json and *.safetensors.",
          folder.string());
  const fs::path config_file = folder / config_name;
  const std::string where = config_file.string();
  require(fs::exists(config_file), "{} has no {}; expected a Hugging Face folder, which has one.",
          folder.string(), config_name);
  const Json json = read_object(config_file);
  const Family& family = find_family(json, where);
  require(
      !json.contains("quantization_config"),
      "{}: `quantization_config` is given; only weights of f64, f32, bf16 and f16 are supported.",
      where);
  const ModelConfig config = read_settings(family, json, where);

  ImportedModel imported{{config, {}, Parameters(device, parameter_specs(config))}, {}};
  Model& model = imported.model;
  const WeightFiles files(folder, family);
  const auto tensors = family_tensors(family, config, model.parameters);
  files.check(tensors, config);
  model.config.source_dtype =
      source_dtype(json, files.at(tensors.front().name).dtype, folder.string());
  set_end_tokens(imported, folder, json);
  add_tokenizer(imported, folder);

  for (const FamilyTensor& tensor : tensors) {
    scatter_parts(tensor, files.read(tensor.name), model.parameters, device);
  }
  model.parameters.changed();
  return imported;
}

void export_folder(Device& device, const Model& model, const fs::path& folder) {
  const Family& family = family_for(model.config);
  OutputFolder output(
      folder, {config_name, generation_name, weights_name, tokenizer_name, tokenizer_config_name});
  const fs::path& to = output.partial_path();
  write_json(to / config_name, config_json(family, model.config));
  write_json(to / generation_name, generation_json(model.config));
  if (!model.tokenizer.empty()) {
    const std::string json(model.tokenizer.begin(), model.tokenizer.end());
    write_file(to / tokenizer_name, json);
    write_json(to / tokenizer_config_name, tokenizer_config_json(model, json));
  }
  write_weights(to / weights_name, family, model, device);
  output.commit();
}

}  // namespace precis
