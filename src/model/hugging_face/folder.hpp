// Hugging Face folders: read as models, and written from models.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/safetensors.hpp"
#include "model/model.hpp"

namespace precis {

/// A model read from a folder, and what the user should know about it: sentences for the log.
struct ImportedModel {
  Model model;
  std::vector<std::string> notes;
};

/// Reads a folder with config.json, weights (model.safetensors, or several with an index; the
/// single file wins) and, where there are, generation_config.json and tokenizer files. The end
/// tokens are those of generation_config.json, else of config.json, else the tokenizer's. Where
/// files differ the notes say which one was used. Throws Error naming file and setting or tensor:
/// an architecture or a setting that is not supported (see families/family.hpp), an end token
/// outside the vocabulary, tensors that are missing, left over, of another shape, or with elements
/// that are not finite.
[[nodiscard]] ImportedModel import_folder(Device& device, const std::filesystem::path& folder);

/// The dtype that the model's weights were imported with; f32 in place of f64, which precis does
/// not keep.
[[nodiscard]] WeightDType source_dtype(const ModelConfig& config);

/// Writes config.json, generation_config.json, model.safetensors (rounded to `dtype`) and the
/// tokenizer's files, which appear as one folder when all are complete. What config.json and
/// generation_config.json said on import and precis has no use for is written again. A folder that
/// an export wrote is replaced; one with other files is refused. Throws Error, also for a model
/// that no supported architecture can express, and naming a tensor that `dtype` cannot represent.
void export_folder(Device& device, const Model& model, const std::filesystem::path& folder,
                   WeightDType dtype);

}  // namespace precis
