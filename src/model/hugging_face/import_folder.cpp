#include "model/hugging_face/folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "data/tokenizer.hpp"
#include "io/hub_name.hpp"
#include "io/jsonl.hpp"
#include "io/output_file.hpp"
#include "model/families/family.hpp"
#include "model/hugging_face/special_tokens.hpp"
#include "model/hugging_face/weight_files.hpp"

namespace precis {

namespace {

namespace fs = std::filesystem;

/// Throws Error unless a file that is there holds a JSON object.
FolderFile read_object(const fs::path& file) {
  if (!fs::exists(file)) {
    return {file.string(), nullptr};
  }
  Json json = parse_json(read_file(file), file.string());
  require(json.is_object(), "{}: found {}, expected a JSON object.", file.string(),
          json.type_name());
  return {file.string(), std::move(json)};
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

bool has_tokenizer(const fs::path& folder) {
  constexpr std::array names{"tokenizer.json", "vocab.json", "encoder.json"};
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return fs::exists(folder / name); });
}

void add_tokenizer(ImportedModel& imported, const fs::path& folder) {
  ModelConfig& config = imported.model.config;
  std::vector<std::string>& notes = imported.notes;
  if (!has_tokenizer(folder)) {
    notes.emplace_back("The folder has no tokenizer: the model takes and gives token ids only.");
  } else {
    const Tokenizer tokenizer = Tokenizer::load(folder.string());
    notes.insert(notes.end(), tokenizer.notes().begin(), tokenizer.notes().end());
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
    notes.emplace_back(
        "The model has no end token: `eos_token_id` names none, and neither does a tokenizer.");
  }
}

/// The keys of a generation_config.json that an export would not write by itself.
std::string other_generation_settings(Json generation) {
  if (generation.is_null()) {
    return "";
  }
  generation.erase("eos_token_id");
  generation.erase("bos_token_id");
  return generation.empty() ? "" : generation.dump();
}

/// The same of a config.json.
std::string other_settings(Json config, const Family& family) {
  for (const FamilySetting& setting : family.settings) {
    config.erase(setting.key);
  }
  // Written anew, or true of the imported folder only.
  for (const char* key :
       {"architectures", "model_type", "torch_dtype", "dtype", "eos_token_id", "bos_token_id",
        "source_dtype", "transformers_version", "_name_or_path"}) {
    config.erase(key);
  }
  return config.empty() ? "" : config.dump();
}

}  // namespace

ImportedModel import_folder(Device& device, const fs::path& folder) {
  if (const auto download = hub_download(folder)) {
    fail(
        "{0} does not exist; expected a Hugging Face folder. If it is a model's name on the hub, "
        "download it first (`{1}`) and give --from {2}.",
        folder.string(), download->command, download->folder);
  }
  require(fs::exists(folder), "{} does not exist; expected a Hugging Face folder.",
          folder.string());
  require(fs::is_directory(folder),
          "{} is a file; expected a Hugging Face folder with config.json and *.safetensors.",
          folder.string());
  const FolderFile file = read_object(folder / "config.json");
  require(!file.json.is_null(),
          "{} has no config.json; expected a Hugging Face folder, which has one.", folder.string());
  const Family& family = find_family(file.json, file.path);
  require(
      !file.json.contains("quantization_config"),
      "{}: `quantization_config` is given; only weights of f64, f32, bf16 and f16 are supported.",
      file.path);
  const ModelConfig config = read_settings(family, file.json, file.path);

  ImportedModel imported{{config, {}, Parameters(device, parameter_specs(config))}, {}};
  Model& model = imported.model;
  const WeightFiles files(folder, family, config, imported.notes);
  const auto tensors = family_tensors(family, config, model.parameters);
  files.check(tensors, config);
  model.config.source_dtype = files.dtype(tensors, imported.notes);
  const FolderFile generation = read_object(folder / "generation_config.json");
  set_special_tokens(model.config, generation, file, imported.notes);
  model.config.generation_config = other_generation_settings(generation.json);
  model.config.other_config = other_settings(file.json, family);
  add_tokenizer(imported, folder);

  for (const FamilyTensor& tensor : tensors) {
    scatter_parts(tensor, files.read(tensor.name), model.parameters, device);
  }
  model.parameters.changed();
  return imported;
}

}  // namespace precis
