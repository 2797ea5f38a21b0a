#include "commands/separate_outputs.hpp"

#include <filesystem>
#include <system_error>

#include "base/list_text.hpp"
#include "io/text_file.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

/// A file and what names it.
struct NamedFile {
  std::string key;
  std::string path;
};

std::vector<NamedFile> files_of(const OptionTable& options, FileUse use) {
  std::vector<NamedFile> files;
  for (const Option& option : options.options()) {
    const std::string text = option.text();
    if (option.info.file != use || text.empty()) {
      continue;
    }
    const bool is_list = option.type == "list";
    for (std::string& name : is_list ? expand_files(list_items(text)) : std::vector{text}) {
      files.push_back({"--" + option.key, std::move(name)});
    }
  }
  return files;
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  const fs::file_status status = fs::status(a, ignored);
  if (!fs::exists(status)) {
    // Absolute first: weakly_canonical leaves a path as it is spelled if no part of it exists.
    std::error_code a_failed, b_failed;
    const fs::path a_path = fs::weakly_canonical(fs::absolute(a), a_failed);
    const fs::path b_path = fs::weakly_canonical(fs::absolute(b), b_failed);
    return !a_failed && !b_failed && a_path == b_path;
  }
  // Anything else, such as a terminal or /dev/null, may be both read and written.
  return (fs::is_regular_file(status) || fs::is_directory(status)) && fs::equivalent(a, b, ignored);
}

/// Whether `b` is a folder and `a` one of the files that may be read from it, by whatever link:
/// model files never are, so that an imported model may stand beside the files it came from.
bool is_inside(const fs::path& a, const fs::path& b) {
  std::error_code error;
  fs::directory_iterator entry(b, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->path().extension() != ".h5" && fs::equivalent(entry->path(), a, ignored)) {
      return true;
    }
  }
  return false;
}

}  // namespace

void require_separate_outputs(const OptionTable& options) {
  const std::vector<NamedFile> outputs = files_of(options, FileUse::output);
  if (outputs.empty()) {
    return;
  }
  std::vector<NamedFile> others = files_of(options, FileUse::input);
  if (!options.deck().empty()) {
    others.push_back({"the deck", options.deck()});
  }
  for (const NamedFile& output : outputs) {
    for (const NamedFile& other : others) {
      if (is_same_file(output.path, other.path)) {
        fail_usage("{} {} and {} {} are the same file. Give the output a name of its own.",
                   output.key, output.path, other.key, other.path);
      }
      if (is_inside(output.path, other.path)) {
        fail_usage(
            "{} {} is a file in the folder {} {}, which is read. Give the output a name that is "
            "not taken there.",
            output.key, output.path, other.key, other.path);
      }
    }
    others.push_back(output);
  }
}

}  // namespace precis
