// A file that is read: its name, and where its bytes stand.
#pragma once

#include <concepts>
#include <string>
#include <utility>

namespace precis {

/// Most files stand under their name. What rank 0 has handed on (HandedFiles) stands elsewhere, and
/// messages still show the name that the user gave.
struct InputFile {
  /// A file that stands under its name, which is anything that becomes a std::string by itself.
  template <class Name>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): no InputFile becomes a std::string
  requires std::convertible_to<Name, std::string> InputFile(Name&& of)
      : name(std::forward<Name>(of)), path(name) {}
  InputFile(std::string of, std::string at) : name(std::move(of)), path(std::move(at)) {}

  std::string name;
  std::string path;
};

}  // namespace precis
