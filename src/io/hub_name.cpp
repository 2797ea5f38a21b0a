#include "io/hub_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace precis {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.front() != '-' &&
         std::ranges::all_of(text, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
         });
}

/// Whether the ending is one of files that hold models or tokenizers.
bool is_file_name(const std::filesystem::path& path) {
  constexpr std::array endings{".h5", ".hdf5", ".json", ".safetensors", ".bin", ".pt", ".gz"};
  return std::ranges::find(endings, path.extension().string()) != endings.end();
}

}  // namespace

std::optional<Download> hub_download(const std::filesystem::path& path) {
  std::error_code ignored;
  const std::string text = path.string();
  const auto slash = text.find('/');
  const std::string organisation = slash == std::string::npos ? "" : text.substr(0, slash);
  const std::string name = slash == std::string::npos ? text : text.substr(slash + 1);
  if (!is_name(name) || is_file_name(path) || std::filesystem::exists(path, ignored)) {
    return std::nullopt;
  }
  // A folder of this name here has the file at another place, or not yet.
  if (slash != std::string::npos &&
      (!is_name(organisation) || std::filesystem::exists(organisation, ignored))) {
    return std::nullopt;
  }
  return Download{.command = fmt::format("hf download {} --local-dir {}", text, name),
                  .folder = name};
}

}  // namespace precis
