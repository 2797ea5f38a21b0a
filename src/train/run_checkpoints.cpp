#include "train/run_checkpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "parallel/collectively.hpp"
#include "train/input_digests.hpp"

namespace precis {

RunCheckpoints::RunCheckpoints(const Setup& setup)
    : log_(setup.log),
      options_(setup.options),
      world_(setup.world),
      checkpoint_options_(setup.checkpoint),
      sync_rows_(setup.sync_rows),
      folder_(setup.run_folder / "checkpoints", static_cast<int>(setup.checkpoint.keep),
              [this] { world_.progress().tick("checkpoint"); }) {}

void RunCheckpoints::find_newest() {
  const auto entry =
      folder_.newest([&](const std::string& message) { log_.warning("{}", message); });
  if (entry) {
    newest_ = entry->path;
  }
}

std::optional<RunState> RunCheckpoints::agree_on_newest() {
  const std::string found = world_.broadcast_text(newest_ ? newest_->string() : "", 0);
  if (found.empty()) {
    return std::nullopt;
  }
  newest_ = found;
  agree_on_inputs(world_, collectively(world_, [&] {
                    return std::map{std::pair{found, digest_of_model(found)}};
                  }));
  RunState state = collectively(world_, [&] { return read_state(StateReader(found)); });
  saved_step_ = state.step;
  return state;
}

bool RunCheckpoints::is_due(std::int64_t step) const {
  const CheckpointOptions& o = checkpoint_options_;
  const bool by_steps = o.every_steps > 0 && step % o.every_steps == 0;
  const double interval =
      std::max(60 * o.every_minutes, CheckpointOptions::least_interval * last_seconds_);
  return by_steps || (o.every_minutes > 0 && since_last_.seconds() >= interval);
}

void RunCheckpoints::save(const RunState& state, const Describe& describe, OldCheckpoints old) {
  const WorkScope scope(world_.work(), {.kind = WorkKind::output, .name = "checkpoint"});
  try {
    collectively(world_, [&] { sync_rows_(); });
    std::unique_ptr<StateWriter> file;
    collectively(world_, [&] {
      if (is_writer()) {
        file = folder_.begin(state.step);
        write_state(*file, state);
        file->text("deck", options_.kept_deck());
      }
    });
    collectively(world_, [&] { describe(file.get()); });
    collectively(world_, [&] {
      if (file != nullptr) {
        folder_.end(state.step, *file, old);
      }
    });
  } catch (const AgreedError& error) {
    throw AgreedError(fmt::format("The checkpoint of step {} was not written: {} {}", state.step,
                                  error.what(), last()),
                      error.status(), error.rank(), error.ranks());
  }
  saved_step_ = state.step;
}

void RunCheckpoints::save_between_steps(const RunState& state, const Describe& describe,
                                        bool must_stop) {
  const Stopwatch watch;
  try {
    save(state, describe);
  } catch (const AgreedError& error) {
    if (must_stop || checkpoint_options_.on_failure == OnFailure::stop) {
      throw AgreedError(
          fmt::format("{} Make room there, or remove what is in the way; the same command then "
                      "goes on.",
                      error.what()),
          error.status(), error.rank(), error.ranks());
    }
    log_.warning("{} The run goes on (checkpoint.on_failure = warn).", error.what());
  }
  last_seconds_ = watch.seconds();
  longest_seconds_ = std::max(longest_seconds_, last_seconds_);
  since_last_.restart();
}

std::string RunCheckpoints::keep_last(const RunState& state, const Describe& describe,
                                      bool intact) {
  if (intact && state.step > saved_step_) {
    try {
      save(state, describe, OldCheckpoints::keep);
    } catch (const AgreedError& error) {
      return error.what();
    }
  }
  return last();
}

std::filesystem::path RunCheckpoints::saved_file() const {
  return folder_.folder() / checkpoint_name(saved_step_);
}

std::string RunCheckpoints::last() const {
  return saved_step_ == 0 ? "The run has no checkpoint yet."
                          : fmt::format("The run's state after step {} is in {}.", saved_step_,
                                        saved_file().string());
}

}  // namespace precis
