#include "train/run.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/deck.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "io/output_file.hpp"
#include "parallel/collectively.hpp"
#include "train/data_parts.hpp"
#include "train/work_table.hpp"

namespace precis {
namespace {

/// The deck of a run folder; empty if there is none.
std::vector<DeckEntry> deck_in(const std::filesystem::path& folder) {
  const auto deck = folder / "deck.cfg";
  return std::filesystem::exists(deck) ? read_deck(deck) : std::vector<DeckEntry>();
}

/// Collective: the value of a key in a deck that rank 0 reads; nothing if it is not there.
std::optional<std::string> value_of_rank_0(RankGroup& world, const std::string& key,
                                           const std::function<std::vector<DeckEntry>()>& read) {
  const std::string found = collectively(world, [&]() -> std::string {
    if (world.rank() != 0) {
      return "";
    }
    const auto deck = read();
    const auto entry = std::ranges::find(deck, key, &DeckEntry::key);
    return entry == deck.end() ? "" : entry->value;
  });
  const std::string value = world.broadcast_text(found, 0);
  return value.empty() ? std::nullopt : std::optional(value);
}

}  // namespace

TrainingRun::TrainingRun(const Setup& setup)
    : log_(setup.log),
      options_(setup.options),
      world_(setup.world),
      run_options_(setup.run),
      resave_(setup.checkpoint.resave),
      final_files_(setup.final_files),
      folder_(setup.run.run),
      checkpoints_({.log = log_,
                    .options = options_,
                    .world = world_,
                    .checkpoint = setup.checkpoint,
                    .run_folder = folder_,
                    .sync_rows =
                        [this] {
                          if (record_) {
                            record_->sync();
                          }
                        }}),
      stop_requests_(world_, log_, setup.stop_after) {
  if (run_options_.trace) {
    world_.work().keep_events(RunTrace::kept_events);
    phases_.show_in(world_.work());
  }
  preparation_.emplace(world_.work(), Work{.kind = WorkKind::input});
  state_.command = setup.command;
  state_.layout = setup.layout;
  collectively(world_, [&] {
    stop_requests_.find_end(run_options_.end_time);
    if (world_.rank() == 0) {
      open_folder(setup.command);
    }
  });
  remains_ = static_cast<Remains>(all_max(world_, static_cast<std::int64_t>(remains_)));
  if (auto stored = checkpoints_.agree_on_newest()) {
    take_state_of_checkpoint(std::move(*stored));
  }
  end_without_loss_on_signals();
  collectively(world_, [&] {
    require(!resave() || checkpoint(),
            "checkpoint.resave was asked for, but {} holds no checkpoint.", folder_.string());
  });
}

void TrainingRun::end_without_loss_on_signals() {
  std::error_code ignored;
  const bool has_deck = std::filesystem::exists(folder_ / "deck.cfg", ignored);
  std::string next = fmt::format("begins the run in {}", folder_.string());
  if (remains_ == Remains::final_files) {
    next = "finds it complete";
  } else if (checkpoints_.saved_step() > 0) {
    next = fmt::format("goes on from {}, after {}", checkpoints_.saved_file().string(),
                       counted(checkpoints_.saved_step(), "step"));
  } else if (has_deck) {
    next = fmt::format("begins the run in {} again, which has no checkpoint", folder_.string());
  }
  ends_without_loss_.emplace(log_, NextLaunch{.does = next, .has_deck = has_deck},
                             world_.progress());
}

void TrainingRun::open_folder(const std::string& command) {
  run_folder_.emplace(folder_);
  if (!run_folder_->lock_notice().empty()) {
    log_.warning("{}", run_folder_->lock_notice());
  }
  if (!run_folder_->is_new()) {
    log_.add_file(run_folder_->log());
  }
  checkpoints_.find_newest();
  if (!checkpoint()) {
    remains_ = find_remains(folder_, command, final_files_);
  }
}

void TrainingRun::take_state_of_checkpoint(RunState stored) {
  collectively(world_, [&] {
    require(stored.command == state_.command,
            "{} belongs to a run of `{}`, not of `{}`. Choose another run folder.",
            checkpoint()->string(), stored.command, state_.command);
  });
  if (stored.layout != state_.layout) {
    log_.warning(
        "The checkpoint was written on `{}`; this is `{}`. The loaded state is the same to the "
        "bit. So is what follows if only grids, threads and placement differ, and every dp divides "
        "exact.data_parts and every tp exact.tensor_parts; else it agrees to rounding.",
        stored.layout, state_.layout);
  }
  stored.layout = state_.layout;
  state_ = std::move(stored);
}

void TrainingRun::check_deck() {
  collectively(world_, [&] {
    if (world_.rank() == 0 && remains_ != Remains::nothing) {
      check_deck_of_remains(folder_, remains_, options_.kept_deck());
    }
    if (world_.rank() == 0 && checkpoint()) {
      const std::string stored = checkpoint()->string();
      check_continued_deck(parse_deck(StateReader(*checkpoint()).text("deck"), stored),
                           parse_deck(options_.kept_deck(), "this command"), stored);
    }
  });
}

std::optional<std::string> TrainingRun::former_value(const std::string& key) {
  return value_of_rank_0(world_, key, [&] {
    if (checkpoint()) {
      return parse_deck(StateReader(*checkpoint()).text("deck"), checkpoint()->string());
    }
    return remains_ == Remains::nothing ? std::vector<DeckEntry>() : deck_in(folder_);
  });
}

void TrainingRun::check_inputs(const std::map<std::string, std::string>& digests) {
  collectively(world_, [&] {
    auto& known = state_.extra["inputs"];
    std::vector<std::string> changed;
    for (const auto& [key, digest] : digests) {
      if (known.contains(key) && known[key] != digest) {
        changed.push_back(key);
      }
      known[key] = digest;
    }
    if (!changed.empty()) {
      fail_usage(
          "The run cannot be continued with other inputs than it was begun with in {}. What is "
          "given now holds something else: {}. Give the former files, or another run folder.",
          checkpoint()->string(), joined(changed, ", "));
    }
  });
}

bool TrainingRun::is_complete(std::int64_t total_steps) {
  if (is_finished()) {
    log_.info(
        "The run in {} is complete: {} there. Its checkpoints are not, so that it cannot go "
        "on.",
        folder_.string(),
        joined(final_files_, " and ") + (final_files_.size() == 1 ? " is" : " are"));
    return true;
  }
  if (!checkpoint() || state_.step < total_steps || resave()) {
    return false;
  }
  const std::string done =
      fmt::format("{} {} done", counted(state_.step, "step"), state_.step == 1 ? "is" : "are");
  if (state_.step > total_steps) {
    log_.warning("{}, more than the {} asked for: nothing is trained.", done, total_steps);
  }
  // A file older than the checkpoint is from an earlier end, which train.steps has since moved.
  const auto missing = [&](const std::string& name) {
    std::error_code absent;
    const auto written = std::filesystem::last_write_time(folder_ / name, absent);
    return absent || written < std::filesystem::last_write_time(*checkpoint());
  };
  // Ranks may see a shared file system at different times; one answer must hold for all.
  const bool there =
      all_max(world_,
              std::int64_t{std::any_of(final_files_.begin(), final_files_.end(), missing)}) == 0;
  if (there) {
    log_.info("The run in {} is complete: {}.", folder_.string(), done);
  }
  return there;
}

void TrainingRun::begin(std::int64_t total_steps) {
  total_steps_ = total_steps;
  first_step_ = state_.step;
  collectively(world_, [&] {
    if (world_.rank() != 0) {
      return;
    }
    if (run_folder_->is_new()) {
      log_.add_file(run_folder_->log());
    }
    if (checkpoint()) {
      log_.info("The run goes on from {} after {}.", checkpoint()->string(),
                counted(state_.step, "step"));
    }
    write_file(run_folder_->deck(), options_.kept_deck());
    run_folder_->cut_back(state_.step);
    checkpoints_.set_aside_after(state_.step);
    record_.emplace(*run_folder_, run_options_, log_, state_, total_steps_);
  });
  collectively(world_, [&] {
    require(!checkpoints_.is_writer() || std::filesystem::exists(folder_ / "lock"),
            "The run folder {} of rank 0 is not there on host {}, whose rank writes the "
            "checkpoints. Give one on a file system that all nodes share.",
            folder_.string(), world_.progress().host());
  });
  if (state_.step < total_steps_) {
    ends_without_loss_.reset();
    stop_requests_.begin_watch();
  }
  preparation_.reset();
  if (run_options_.trace) {
    trace_.emplace(world_, folder_ / "trace.json");
  }
  step_watch_.restart();
  step_began_ = monotonic_nanoseconds();
  checkpoints_.begin();
}

void TrainingRun::record(std::int64_t tokens, const Row& metrics, const ProgressNumbers& progress) {
  ++state_.step;
  state_.tokens += tokens;
  const double seconds = step_watch_.seconds();
  step_watch_.restart();
  longest_step_ = std::max(longest_step_, seconds);
  world_.work().add_event(WorkTrack::steps, "step", step_began_, state_.step);
  step_began_ = monotonic_nanoseconds();
  if (record_) {
    const WorkScope scope(world_.work(), {.kind = WorkKind::output, .name = "metrics"});
    record_->add_step(
        state_, {.tokens = tokens, .seconds = seconds, .metrics = metrics, .progress = progress},
        phases_);
  }
  phases_.reset();
}

void TrainingRun::add_samples(const std::vector<Row>& rows) {
  if (record_) {
    const WorkScope scope(world_.work(), {.kind = WorkKind::output, .name = "samples"});
    record_->add_samples(rows);
  }
}

void TrainingRun::add_episodes(const std::vector<Row>& rows) {
  if (record_) {
    const WorkScope scope(world_.work(), {.kind = WorkKind::output, .name = "episodes"});
    record_->add_episodes(rows);
  }
}

bool TrainingRun::safe_point(const Describe& describe) {
  const bool complete = state_.step >= total_steps_;
  const std::int64_t stop = stop_requests_.request_after(
      state_.step - first_step_, longest_step_ + checkpoints_.longest_seconds());
  const std::int64_t save = checkpoints_.is_due(state_.step) ? request::checkpoint : request::go_on;
  std::array<std::int64_t, 2> asked{std::max(stop, save), trace_ && trace_->is_due() ? 1 : 0};
  world_.all_reduce(asked, Reduction::max);
  const std::int64_t agreed = asked[0];
  const bool must_stop = agreed > request::checkpoint && !complete;
  if (agreed > request::go_on || complete) {
    checkpoints_.save_between_steps(state_, describe, must_stop);
  }
  if (trace_ && (asked[1] != 0 || complete || must_stop)) {
    trace_->collect();
  }
  if (complete) {
    stop_requests_.end_watch();
    end_without_loss_on_signals();
  }
  if (must_stop) {
    log_.info("Stopped after {} of {} steps, with a checkpoint: {}. Run the same command to go on.",
              state_.step, total_steps_, stop_requests_.cause_of(agreed));
  }
  return must_stop;
}

void TrainingRun::end_launch() {
  const WorkTable table = gather_work(world_);
  if (trace_) {
    trace_->collect();
    log_.info("The trace of this launch is in {}; ui.perfetto.dev shows it.",
              (folder_ / "trace.json").string());
  }
  log_.info("{}", to_text(table));
}

void TrainingRun::guard(const std::function<void()>& check, const Describe& describe, bool intact) {
  try {
    collectively(world_, check);
  } catch (const AgreedError& trouble) {
    throw AgreedError(fmt::format("{} The run stops. {}", trouble.what(),
                                  checkpoints_.keep_last(state_, describe, intact)),
                      trouble.status(), trouble.rank(), trouble.ranks());
  }
}

void TrainingRun::save_again(const Describe& describe) {
  collectively(world_, [&] {
    if (world_.rank() == 0) {
      checkpoints_.set_aside_after(state_.step);
    }
  });
  checkpoints_.save(state_, describe);
}

void complete_exact_parts(TrainOptions& options, std::optional<TrainingRun>& run,
                          const std::filesystem::path& folder, RankGroup& world, int dp, int tp) {
  const auto complete = [&](const std::string& key, std::int64_t& value, std::int64_t otherwise,
                            std::int64_t most) {
    const auto former =
        run ? run->former_value(key) : value_of_rank_0(world, key, [&] { return deck_in(folder); });
    collectively(world, [&] { value = effective_parts(key, value, former, otherwise, most); });
  };
  complete("exact.data_parts", options.data_parts, default_data_parts(dp), most_data_parts);
  complete("exact.tensor_parts", options.tensor_parts, default_tensor_parts(tp), most_tensor_parts);
}

}  // namespace precis
