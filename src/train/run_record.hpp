// What a run writes down of its steps: metrics, samples, episodes, TensorBoard, progress.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/progress.hpp"
#include "io/metrics.hpp"
#include "io/run_folder.hpp"
#include "io/tensorboard.hpp"
#include "train/run_options.hpp"
#include "train/run_state.hpp"

namespace precis {

/// One rank of a run has it, the one that holds the folder.
class RunRecord {
 public:
  /// Opens the files, which are cut back to the step that `state` has. Throws Error if one cannot
  /// be opened.
  RunRecord(const RunFolder& folder, const RunOptions& options, Log& log, const RunState& state,
            std::int64_t total_steps);

  /// What is recorded of a step that has taken `seconds`.
  struct Step {
    std::int64_t tokens = 0;
    double seconds = 0;
    const Row& metrics;
    const ProgressNumbers& progress;
  };
  /// The last step that `state` counts: its row of metrics.jsonl has step and tokens, then the
  /// metrics, then seconds, phases and rate.
  void add_step(const RunState& state, const Step& step, const PhaseTimer& phases);
  /// Rows for samples.jsonl and episodes.jsonl, files that the first row creates.
  void add_samples(const std::vector<Row>& rows) { append(samples_, samples_path_, rows); }
  void add_episodes(const std::vector<Row>& rows) { append(episodes_, episodes_path_, rows); }

  /// Returns when all rows are on the disk.
  void sync();

 private:
  static void append(std::unique_ptr<RowFile>& file, const std::filesystem::path& path,
                     const std::vector<Row>& rows);

  std::filesystem::path samples_path_, episodes_path_;
  RowFile metrics_;
  std::unique_ptr<RowFile> samples_, episodes_;
  std::unique_ptr<TensorboardFile> tensorboard_;  // with log.tensorboard
  Progress progress_;
};

}  // namespace precis
