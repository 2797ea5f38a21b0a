// The life of a training run: where it goes on, its steps, when it stops.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/options.hpp"
#include "base/progress.hpp"
#include "base/work_log.hpp"
#include "io/metrics.hpp"
#include "io/run_folder.hpp"
#include "parallel/rank_group.hpp"
#include "train/checkpoint_options.hpp"
#include "train/remains.hpp"
#include "train/run_checkpoints.hpp"
#include "train/run_options.hpp"
#include "train/run_record.hpp"
#include "train/run_state.hpp"
#include "train/stop_requests.hpp"
#include "train/trace.hpp"
#include "train/train_options.hpp"

namespace precis {

class TrainingRun {
 public:
  struct Setup {
    Log& log;
    OptionTable& options;
    RankGroup& world;
    const RunOptions& run;
    const CheckpointOptions& checkpoint;
    std::int64_t stop_after = 0;
    std::string command;
    std::string layout;
    std::vector<std::string> final_files;  ///< in the run folder, written when the run is complete
  };

  /// Collective, and quick: to be called before data and models are read. Creates or opens the
  /// folder, takes its lock and finds the newest whole checkpoint. Throws on all ranks if one of
  /// these fails.
  explicit TrainingRun(const Setup& setup);

  /// Collective, when all keys have their values: throws UsageError if the folder holds something
  /// of this run already and a key has changed that must not: a new run must not replace what is
  /// there.
  void check_deck();
  /// Collective: notes what the inputs under these keys hold (a digest; "" for none), for the
  /// checkpoints. Throws UsageError naming the keys whose inputs are not those that the run was
  /// begun with. How a path is spelled does not matter.
  void check_inputs(const std::map<std::string, std::string>& digests);

  /// The checkpoint that the run goes on from, verified; nothing for a new run.
  [[nodiscard]] const std::optional<std::filesystem::path>& checkpoint() const noexcept {
    return checkpoints_.newest();
  }
  /// Whether there are final files but no checkpoint: such a run cannot go on.
  [[nodiscard]] bool is_finished() const noexcept { return remains_ == Remains::final_files; }
  [[nodiscard]] const RunState& state() const noexcept { return state_; }
  [[nodiscard]] RunState& state() noexcept { return state_; }
  [[nodiscard]] std::uint64_t seed() const noexcept {
    return static_cast<std::uint64_t>(run_options_.machine.seed);
  }
  /// Whether the run is finished, or the checkpoint is of the last step and every final file is
  /// there; says so if it is.
  [[nodiscard]] bool is_complete(std::int64_t total_steps);
  [[nodiscard]] std::filesystem::path file(const std::string& name) const { return folder_ / name; }

  /// Before the first step: writes the effective deck, cuts the row files back to the checkpoint
  /// and opens them.
  void begin(std::int64_t total_steps);

  /// After a step, on every rank: counts it and, on rank 0, writes its row. `metrics` comes after
  /// `step` and `tokens`; phase times and rates are added. `progress` goes to the progress line.
  void record(std::int64_t tokens, const Row& metrics, const ProgressNumbers& progress);
  /// Appends rows to RUN/samples.jsonl and RUN/episodes.jsonl, on rank 0.
  void add_samples(const std::vector<Row>& rows);
  void add_episodes(const std::vector<Row>& rows);

  /// Times a part of the step, for `seconds_*`.
  [[nodiscard]] PhaseTimer& phases() noexcept { return phases_; }

  /// What fills a checkpoint after its `state` and `deck`.
  using Describe = RunCheckpoints::Describe;
  /// At the safe point after a step, collective: writes a checkpoint if one is due, the run is
  /// complete or it must stop. Returns true if the run must stop now (a signal, stop_after, the end
  /// of the allocation): the command returns stopped_early. Throws Error if the checkpoint cannot
  /// be written and the run must stop, or checkpoint.on_failure says so.
  [[nodiscard]] bool safe_point(const Describe& describe);
  /// Collective, for `checkpoint.resave` in place of the training: writes the loaded state again.
  /// Throws Error if it cannot.
  void save_again(const Describe& describe);
  /// Collective: runs `check`, which throws if the run has gone wrong. Then the state after the
  /// last whole step is saved, if no checkpoint has it yet and it is still `intact`: no update of
  /// the present step has changed it. No older checkpoint is removed, as that state may be the
  /// cause. The Error says which checkpoint is the last.
  void guard(const std::function<void()>& check, const Describe& describe, bool intact = true);
  /// Collective: the value of a key in the run so far; nothing for a new run, or where it is of a
  /// version that did not have the key.
  [[nodiscard]] std::optional<std::string> former_value(const std::string& key);
  /// Collective, at the end of a launch that had `begun`, and of its final files: the rest of the
  /// trace, and the table of where the time went.
  void end_launch();
  /// Whether `checkpoint.resave` was asked for: the caller loads, saves and returns.
  [[nodiscard]] bool resave() const noexcept { return resave_; }

  /// The rank that writes checkpoints (ppo: the first learner); 0 unless set before the first save.
  void set_writer(int world_rank) noexcept { checkpoints_.set_writer(world_rank); }

 private:
  /// From now on a signal ends the program, saying what the run has reached.
  void end_without_loss_on_signals();
  void open_folder(const std::string& command);
  void take_state_of_checkpoint(RunState stored);

  Log& log_;
  OptionTable& options_;
  RankGroup& world_;
  RunOptions run_options_;
  bool resave_;
  std::vector<std::string> final_files_;
  std::filesystem::path folder_;
  std::optional<RunFolder> run_folder_;  // rank 0
  RunCheckpoints checkpoints_;
  Remains remains_ = Remains::nothing;  // with a checkpoint: nothing
  RunState state_;
  std::int64_t total_steps_ = 0;
  std::int64_t first_step_ = 0;      // steps done when this launch began
  std::optional<RunRecord> record_;  // rank 0, from `begin`
  PhaseTimer phases_;
  std::optional<WorkScope> preparation_;  // until `begin`
  std::optional<RunTrace> trace_;         // with `trace`, from `begin`
  Stopwatch step_watch_;
  std::int64_t step_began_ = 0;  // in nanoseconds, for the trace
  double longest_step_ = 0;
  std::optional<EndsWithoutLoss> ends_without_loss_;  // but from `begin` to the last step
  StopRequests stop_requests_;  // watched from `begin` to the last step: around it nothing is lost
};

/// Collective: gives exact.data_parts and exact.tensor_parts their values, for `dp` ranks that
/// share a step's rows and `tp` that share a layer, in the role that has most. A dry run has no
/// `run`, and looks into the `folder` only. Throws AgreedError unless they are powers of two.
void complete_exact_parts(TrainOptions& options, std::optional<TrainingRun>& run,
                          const std::filesystem::path& folder, RankGroup& world, int dp, int tp);

}  // namespace precis
