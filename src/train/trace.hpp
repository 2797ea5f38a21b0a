// A timeline of a run's phases in Chrome's trace format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "base/clock.hpp"

namespace precis {

/// Writes a JSON array of complete events ("ph": "X", microseconds), one per phase and one per
/// step, that chrome://tracing and Perfetto read. The file is whole after every `append`.
class TraceFile {
 public:
  /// Replaces what is there. Throws Error if it cannot be written.
  explicit TraceFile(std::filesystem::path path);

  /// The events that `phases` has kept since the last step; the step ends now.
  void append(std::int64_t step, const PhaseTimer& phases);

 private:
  void write(const std::string& text);

  std::filesystem::path path_;
  std::ofstream file_;
  std::streampos end_;  // where the array's closing bracket is
  bool empty_ = true;
  double step_begin_ = 0;
};

}  // namespace precis
