// The checkpoints of a run: step_000120.h5, `latest`, the last few kept, the newest that is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/state_file.hpp"

namespace precis {

struct CheckpointEntry {
  std::int64_t step = 0;  ///< optimizer steps (ppo: batches of rollouts) done when it was written
  std::filesystem::path path;
};

/// Whether writing a checkpoint may remove the oldest.
enum class OldCheckpoints { remove, keep };

/// "step_000120.h5".
[[nodiscard]] std::string checkpoint_name(std::int64_t step);

/// RUN/checkpoints. One rank of a run writes; any may read.
class CheckpointFolder {
 public:
  /// The folder is created with the first write. `keep` (at least 1) newest files are kept. `tick`
  /// is called after each dataset that is written or verified.
  CheckpointFolder(
      std::filesystem::path folder, int keep, std::function<void()> tick = [] {});

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  /// The complete files there are, newest first.
  [[nodiscard]] std::vector<CheckpointEntry> list() const;

  /// Begins the checkpoint of a step, to be filled (scalars first: "state", "deck"; then parts).
  /// Throws Error; the message names the file.
  [[nodiscard]] std::unique_ptr<StateWriter> begin(std::int64_t step) const;
  /// Ends it: it is synced and renamed, then `latest` names it, then all but the last `keep` are
  /// removed, unless `old` says otherwise. Throws Error with nothing under the final name.
  void end(std::int64_t step, StateWriter& file, OldCheckpoints old = OldCheckpoints::remove) const;

  /// Renames the files of later steps, which a run that goes on from `step` found damaged, to
  /// NAME.damaged: they must not count among those that are kept.
  void set_aside_after(std::int64_t step) const;

  /// The newest checkpoint that is whole, every digest verified; nothing if the folder has none. A
  /// damaged one is passed over: `damaged` gets a message that names file and dataset, and the file
  /// that is used or tried instead. Throws Error if there are some and all are damaged.
  [[nodiscard]] std::optional<CheckpointEntry> newest(
      const std::function<void(const std::string&)>& damaged) const;

 private:
  [[nodiscard]] std::string find_damage(const std::filesystem::path& file) const;
  void remove_old() const;

  std::filesystem::path folder_;
  int keep_;
  std::function<void()> tick_;
};

}  // namespace precis
