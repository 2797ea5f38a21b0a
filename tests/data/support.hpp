// What the data tests share: where real data lies, files that vanish, errors as text.
#pragma once

#include "base/error.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace precis::testing {

inline std::filesystem::path data_folder() {
  const char* given = std::getenv("PRECIS_DATA");
  return given != nullptr ? std::filesystem::path(given)
                          : std::filesystem::path(PRECIS_SOURCE_DIR) / ".." / "shared" / "data";
}

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A folder that is removed with everything in it.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "precis_data_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error(with_errno(name));
    }
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] std::string file(const std::string& name, std::string_view content) const {
    const auto path = path_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The message of the Error that `f` throws; empty if it throws none.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace precis::testing

/// Skips the test where the real data is absent.
#define PRECIS_NEEDS_DATA(name)                                                              \
  const std::string data_path = (precis::testing::data_folder() / (name)).string();          \
  if (!std::filesystem::exists(data_path)) {                                                 \
    GTEST_SKIP() << data_path << " is absent; set PRECIS_DATA to the folder with real data"; \
  }
