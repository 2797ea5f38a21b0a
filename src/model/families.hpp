// Hugging Face folders: read as models, and written from models.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/model.hpp"

namespace precis {

/// A model read from a folder, and what the reader should know about it: sentences for the log.
struct ImportedModel {
  Model model;
  std::vector<std::string> notes;
};

/// Reads a folder with config.json, weights (model.safetensors, or several with an index) and,
/// where there are, generation_config.json and tokenizer files. The end tokens are those of
/// generation_config.json, else of config.json, else the tokenizer's. Throws Error naming file and
/// setting or tensor: an architecture or a setting that is not supported (see families/family.hpp),
/// tensors that are missing, left over or of another shape.
[[nodiscard]] ImportedModel import_folder(Device& device, const std::filesystem::path& folder);

/// Writes config.json, generation_config.json, model.safetensors (f32) and the tokenizer's files,
/// which appear as one folder when all are complete. A folder that an export wrote is replaced; one
/// with other files is refused. Throws Error, also for a model that no supported architecture can
/// express.
void export_folder(Device& device, const Model& model, const std::filesystem::path& folder);

}  // namespace precis
