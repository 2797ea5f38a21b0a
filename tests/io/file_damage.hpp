// What tests do to files: write them, flip a bit.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "io/output_file.hpp"

namespace precis {

inline void overwrite(const std::filesystem::path& file, const std::string& content) {
  std::ofstream stream(file, std::ios::binary);
  stream << content;
}

/// Flips one bit of the byte at which `needle` first stands in the file.
inline void flip_bit_at(const std::filesystem::path& file, const std::string& needle) {
  std::string content = read_file(file);
  const std::size_t place = content.find(needle);
  ASSERT_NE(place, std::string::npos);
  content[place] = static_cast<char>(content[place] ^ 1);
  overwrite(file, content);
}

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

}  // namespace precis
