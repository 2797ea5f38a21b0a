// The checkpoints of a run: which it goes on from, when the next is due, which rank writes it, and
// what is said when one cannot be written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/options.hpp"
#include "io/checkpoint.hpp"
#include "parallel/rank_group.hpp"
#include "train/checkpoint_options.hpp"
#include "train/run_state.hpp"

namespace precis {

class RunCheckpoints {
 public:
  /// Collective: what fills a checkpoint after its `state` and `deck`: the parts. `file` on the
  /// writing rank, which asks the others for what they hold; null there.
  using Describe = std::function<void(StateWriter* file)>;

  struct Setup {
    Log& log;
    const OptionTable& options;  ///< whose kept deck each checkpoint has
    RankGroup& world;
    const CheckpointOptions& checkpoint;
    std::filesystem::path run_folder;
    /// Returns when this rank's rows are on the disk: a checkpoint must not survive a crash that
    /// loses older rows.
    std::function<void()> sync_rows;
  };
  explicit RunCheckpoints(const Setup& setup);
  RunCheckpoints(const RunCheckpoints&) = delete;
  RunCheckpoints& operator=(const RunCheckpoints&) = delete;

  /// On rank 0: finds the newest whole checkpoint.
  void find_newest();
  /// Collective: every rank goes on from what rank 0 has found, with the same content. Returns the
  /// state in it; nothing for a new run.
  [[nodiscard]] std::optional<RunState> agree_on_newest();
  /// The checkpoint that the run goes on from, verified; nothing for a new run.
  [[nodiscard]] const std::optional<std::filesystem::path>& newest() const noexcept {
    return newest_;
  }

  /// The step of the checkpoint that was found or written last (0: there is none), and its file.
  [[nodiscard]] std::int64_t saved_step() const noexcept { return saved_step_; }
  [[nodiscard]] std::filesystem::path saved_file() const;

  /// The rank that writes (ppo: the first learner); 0 unless set before the first save.
  void set_writer(int world_rank) noexcept { writer_ = world_rank; }
  [[nodiscard]] bool is_writer() const { return world_.rank() == writer_; }

  /// Before the first step: starts the time to the next checkpoint.
  void begin() { since_last_.restart(); }
  /// On rank 0: damaged files of later steps than the run goes on from are renamed.
  void set_aside_after(std::int64_t step) const { folder_.set_aside_after(step); }

  /// Whether the next checkpoint is due, by steps or by time.
  [[nodiscard]] bool is_due(std::int64_t step) const;
  /// The time of the longest save at a safe point so far.
  [[nodiscard]] double longest_seconds() const noexcept { return longest_seconds_; }

  /// Collective: writes a checkpoint of `state`. The message of its Error says which checkpoint is
  /// the last.
  void save(const RunState& state, const Describe& describe,
            OldCheckpoints old = OldCheckpoints::remove);
  /// Collective: `save` between two steps. If it fails, throws Error where the run `must_stop` or
  /// checkpoint.on_failure says so, else warns.
  void save_between_steps(const RunState& state, const Describe& describe, bool must_stop);
  /// Collective, for a run that has gone wrong: saves `state` if no checkpoint has it yet and it is
  /// still `intact`. No older checkpoint is removed, as this state may be the cause. Returns a
  /// sentence that says which is the last.
  [[nodiscard]] std::string keep_last(const RunState& state, const Describe& describe, bool intact);

 private:
  [[nodiscard]] std::string last() const;

  Log& log_;
  const OptionTable& options_;
  RankGroup& world_;
  CheckpointOptions checkpoint_options_;
  std::function<void()> sync_rows_;
  CheckpointFolder folder_;
  std::optional<std::filesystem::path> newest_;
  std::int64_t saved_step_ = 0;  // of the last checkpoint; 0: none
  int writer_ = 0;
  Stopwatch since_last_;
  double last_seconds_ = 0, longest_seconds_ = 0;
};

}  // namespace precis
