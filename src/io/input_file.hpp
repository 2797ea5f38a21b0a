// A file that is read: its name, and where its bytes are.
#pragma once

#include <concepts>
#include <string>
#include <utility>

namespace precis {

/// Most files are read under their own name. What rank 0 has handed on (HandedFiles) is elsewhere,
/// and messages still show the name that the user gave.
struct InputFile {
  /// A file that is read under its own name, which is anything that converts to std::string.
  template <class Name>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): no InputFile becomes a std::string
  requires std::convertible_to<Name, std::string> InputFile(Name&& given)
      : name(std::forward<Name>(given)), path(name) {}
  InputFile(std::string given, std::string at) : name(std::move(given)), path(std::move(at)) {}

  std::string name;
  std::string path;
};

}  // namespace precis
