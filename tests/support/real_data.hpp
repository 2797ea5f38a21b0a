// Data of others, for the tests that read it where it is installed.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace precis {

/// The folder of the data: $PRECIS_DATA, or the one beside the sources.
inline std::filesystem::path data_folder() {
  const char* given = std::getenv("PRECIS_DATA");
  return given != nullptr ? given : std::filesystem::path(PRECIS_SOURCE_DIR) / "../shared/data";
}

}  // namespace precis

/// Skips the test where a file or folder of the data is absent; defines its path, `data_path`.
#define PRECIS_NEEDS_DATA(name)                                                              \
  const std::string data_path = (precis::data_folder() / (name)).string();                   \
  if (!std::filesystem::exists(data_path)) {                                                 \
    GTEST_SKIP() << data_path << " is absent; set PRECIS_DATA to the folder with real data"; \
  }
