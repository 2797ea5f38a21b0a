// The folder of a run: its files, and the lock that keeps a second process out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "io/output_folder.hpp"
#include "io/partial_output.hpp"

namespace precis {

/// Held while a process works in a run folder (flock on RUN/lock, which the system releases when
/// the process dies). The file says who holds it: host, process, job and time.
class RunLock {
 public:
  /// Throws Error naming host, job and time of the process that holds the lock. The lock of a dead
  /// process is taken over; where the file system has no locks, or none that other hosts see, only
  /// the lock of a process that is certainly dead.
  explicit RunLock(std::filesystem::path file);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// What a user should know about the lock: that there is none here, and why. Usually empty.
  [[nodiscard]] const std::string& notice() const noexcept { return notice_; }

 private:
  /// Makes this process the owner of the open file. Throws Error if it is another's.
  void take();

  std::filesystem::path file_;
  std::string notice_;
  int descriptor_ = -1;
  // A program that a signal ends leaves no lock, which other hosts could not tell from a live one.
  std::optional<PartialOutput> removed_by_signal_;
};

/// One rank of a run holds it, the one that writes.
class RunFolder {
 public:
  /// Creates the folder if need be and locks it. Throws Error if it cannot be written, if a file
  /// has its name, or if another process is at work in it. A new folder that nothing was written to
  /// is removed again at destruction: a command refused for its input leaves none.
  explicit RunFolder(const std::filesystem::path& folder);
  [[nodiscard]] bool is_new() const noexcept { return made_.any(); }
  /// `RunLock::notice` of the folder's lock.
  [[nodiscard]] const std::string& lock_notice() const noexcept { return lock_.notice(); }

  [[nodiscard]] std::filesystem::path deck() const { return folder_ / "deck.cfg"; }
  [[nodiscard]] std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  [[nodiscard]] std::filesystem::path samples() const { return folder_ / "samples.jsonl"; }
  [[nodiscard]] std::filesystem::path episodes() const { return folder_ / "episodes.jsonl"; }
  [[nodiscard]] std::filesystem::path tensorboard() const {
    return folder_ / "events.out.tfevents.precis";
  }
  [[nodiscard]] std::filesystem::path trace() const { return folder_ / "trace.json"; }
  [[nodiscard]] std::filesystem::path log() const { return folder_ / "log.txt"; }

  /// Cuts metrics, samples, episodes and events back to what a checkpoint of `step` knows: rows of
  /// later steps and a torn last one are removed. Steps are counted from 1, so `step` 0 empties
  /// them.
  void cut_back(std::int64_t step) const;

 private:
  std::filesystem::path folder_;
  NewFolders made_;
  RunLock lock_;
};

/// Removes the rows of a JSONL file whose `step` is greater than `step` (or missing), and a torn
/// last line; the others stay byte for byte. A file that does not exist is not created.
void cut_back_rows(const std::filesystem::path& file, std::int64_t step);

}  // namespace precis
