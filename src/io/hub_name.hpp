// Names of models on the Hugging Face hub where a file or a folder is expected.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace precis {

/// The commands that download a model: to be run where `path`, which does not exist, may be such a
/// name ("gpt2", "org/name").
struct Download {
  std::string command;  ///< "hf download org/name --local-dir name"
  std::string folder;   ///< that it makes
};

/// Nothing if the path exists, or cannot be a name on the hub.
[[nodiscard]] std::optional<Download> hub_download(const std::filesystem::path& path);

}  // namespace precis
