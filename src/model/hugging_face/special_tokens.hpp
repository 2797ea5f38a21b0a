// Which end and begin tokens a Hugging Face folder means, where its files differ.
#pragma once

#include <string>
#include <vector>

#include "model/families/family.hpp"

namespace precis {

/// One JSON file of a folder; null: it is not there.
struct FolderFile {
  std::string path;
  Json json;
};

/// Sets the end tokens (`eos_token_id`, a number or a list) and the begin token (`bos_token_id`):
/// those of generation_config.json if it names any, else those of config.json; never both together.
/// A token that is named twice counts once. Adds a sentence to `notes` for each choice. Throws
/// Error for an end token outside the vocabulary; such a begin token is left out.
void set_special_tokens(ModelConfig& to, const FolderFile& generation, const FolderFile& config,
                        std::vector<std::string>& notes);

}  // namespace precis
