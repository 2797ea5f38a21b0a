// What a program removes when a signal ends it: unfinished outputs, and its locks.
#pragma once

#include <filesystem>

#include "base/error.hpp"

namespace precis {

/// While it lives, `path` (NAME.partial, a file or a folder, or a lock) is of no use without this
/// process.
class PartialOutput {
 public:
  explicit PartialOutput(std::filesystem::path path);
  ~PartialOutput();
  PartialOutput(const PartialOutput&) = delete;
  PartialOutput& operator=(const PartialOutput&) = delete;

 private:
  std::filesystem::path path_;
};

/// Removes all of these of this process and ends it by the signal. No new one can be begun from
/// then on.
[[noreturn]] void end_without_partial_outputs(int signal);
/// The same, but ends the process with the status.
[[noreturn]] void end_without_partial_outputs(ExitStatus status);

}  // namespace precis
