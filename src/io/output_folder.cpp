#include "io/output_folder.hpp"

#include <algorithm>
#include <system_error>

#include "base/error.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

void require_replaceable(const fs::path& folder, const std::vector<std::string>& names) {
  require(fs::is_directory(folder), "cannot write the folder {}: a file of that name exists.",
          folder.string());
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    require(std::find(names.begin(), names.end(), name) != names.end(),
            "cannot write the folder {}: it exists and holds {}, which this command did not write. "
            "Give a new folder, or empty this one.",
            folder.string(), name);
  }
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  require(!error, "cannot rename {} to {}: {}.", from.string(), to.string(), error.message());
}

}  // namespace

// The delegation makes an exception from here on run the destructor.
NewFolders::NewFolders(const fs::path& folder) : NewFolders() {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  require(!fs::exists(status) || fs::is_directory(status),
          "{} is a file, where a folder is expected.", folder.string());
  fs::path path = fs::absolute(folder).lexically_normal();
  for (; !path.empty() && !fs::exists(path, error); path = path.parent_path()) {
    if (path.has_filename()) {
      made_.push_back(path);
    }
  }
  fs::create_directories(folder, error);
  require(!error, "cannot create the folder {}: {}.", folder.string(), error.message());
}

NewFolders::~NewFolders() {
  for (const fs::path& folder : made_) {
    std::error_code not_empty;
    fs::remove(folder, not_empty);
  }
}

OutputFolder::OutputFolder(const fs::path& path, const std::vector<std::string>& replaceable) {
  std::error_code error;
  path_ = fs::weakly_canonical(path, error);
  require(!error && path_.has_filename(), "cannot write the folder '{}': expected a name.",
          path.string());
  if (fs::exists(path_)) {
    require_replaceable(path_, replaceable);
  }
  partial_ = path_;
  partial_ += ".partial";
  fs::remove_all(partial_, error);
  unfinished_.emplace(partial_);
  fs::create_directory(partial_, error);
  require(!error, "cannot make the folder {}: {}.", partial_.string(), error.message());
}

OutputFolder::~OutputFolder() {
  if (unfinished_) {
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
  }
}

void OutputFolder::commit() {
  // A folder with files cannot be replaced by a rename: the old one is moved aside until the new
  // one is in place.
  fs::path replaced = path_;
  replaced += ".replaced";
  const bool replaces = fs::exists(path_);
  // From here on the new files are whole: a signal between the renames must leave them.
  unfinished_.reset();
  std::error_code ignored;
  try {
    if (replaces) {
      fs::remove_all(replaced, ignored);
      rename_folder(path_, replaced);
    }
    rename_folder(partial_, path_);
  } catch (...) {
    if (replaces && !fs::exists(path_, ignored)) {
      fs::rename(replaced, path_, ignored);
    }
    fs::remove_all(partial_, ignored);
    throw;
  }
  if (replaces) {
    fs::remove_all(replaced, ignored);
  }
}

}  // namespace precis
