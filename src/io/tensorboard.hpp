// Event files that TensorBoard reads: the numbers of each step beside metrics.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/metrics.hpp"

namespace precis {

/// One event: the numbers of a step, as TensorBoard's Event message holds them.
struct TensorboardEvent {
  double wall_time = 0;  ///< seconds since 1970
  std::int64_t step = 0;
  std::string file_version = {};  ///< of the first event only, which has no numbers
  std::vector<std::pair<std::string, float>> values = {};
};

/// The record of an event: TFRecord framing (length and content, each with its masked CRC-32C)
/// around the message in protobuf's wire format.
[[nodiscard]] std::string tensorboard_record(const TensorboardEvent& event);

/// The events of a file, up to a record that is torn or damaged. `ends` (if not null) gets the byte
/// after each. Throws Error if the file cannot be read.
[[nodiscard]] std::vector<TensorboardEvent> read_tensorboard_file(
    const std::filesystem::path& file, std::vector<std::uint64_t>* ends = nullptr);

/// Appends events to a file, each with one write.
class TensorboardFile {
 public:
  /// Opens for appending; a new or empty file begins with the format's version. Throws Error.
  explicit TensorboardFile(const std::filesystem::path& path);
  /// Every number of the row but `step`, as f32, at the time of the clock. Throws Error.
  void append(std::int64_t step, const Row& metrics);

 private:
  AppendFile file_;
};

/// Removes the events of steps after `step`, and what follows a torn or damaged record; the others
/// stay byte for byte. A file that does not exist is not created.
void cut_back_tensorboard(const std::filesystem::path& file, std::int64_t step);

}  // namespace precis
