#include "train/run.hpp"

#include <algorithm>
#include <utility>

#include "base/deck.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "io/output_file.hpp"
#include "io/partial_output.hpp"
#include "parallel/collectively.hpp"
#include "train/input_digests.hpp"

namespace precis {
namespace {

/// Seconds that a save before the end of the allocation is given beside what steps and saves have
/// taken.
constexpr double margin_seconds = 20;

/// What a rank may want at a safe point, or this much plus a signal. The largest of all ranks
/// counts.
enum Wish : std::int64_t {
  go_on,
  checkpoint,
  stop_after,
  end_of_allocation,
  signal_received = 1000
};

std::string to_text(const RunState& state) {
  nlohmann::ordered_json json{
      {"command", state.command}, {"step", state.step}, {"tokens", state.tokens}};
  json.update(state.extra);
  return json.dump();
}

RunState read_state(const StateReader& file) {
  auto json = nlohmann::ordered_json::parse(file.text("state"), nullptr, false);
  require(json.is_object() && json.contains("command") && json.contains("step") &&
              json.contains("tokens"),
          "{}: the checkpoint's `state` is not one that precis wrote.", file.path().string());
  RunState state{.command = json["command"],
                 .step = json["step"],
                 .tokens = json["tokens"],
                 .layout = file.attribute("layout"),
                 .extra = {}};
  for (const char* key : {"command", "step", "tokens"}) {
    json.erase(key);
  }
  state.extra = std::move(json);
  return state;
}

}  // namespace

TrainingRun::TrainingRun(const Setup& setup)
    : log_(setup.log),
      options_(setup.options),
      world_(setup.world),
      run_options_(setup.run),
      checkpoint_options_(setup.checkpoint),
      stop_after_(setup.stop_after),
      final_files_(setup.final_files),
      folder_(setup.run.run),
      checkpoints_(folder_ / "checkpoints", static_cast<int>(setup.checkpoint.keep),
                   [this] { world_.progress().tick("checkpoint"); }) {
  state_.command = setup.command;
  state_.layout = setup.layout;
  collectively(world_, [&] {
    allocation_end_ = find_allocation_end(run_options_.end_time, log_);
    if (world_.rank() == 0) {
      run_folder_ = std::make_unique<RunFolder>(folder_);
      if (!run_folder_->lock_notice().empty()) {
        log_.warning("{}", run_folder_->lock_notice());
      }
      if (!run_folder_->is_new()) {
        log_.add_file(run_folder_->log());
      }
      find_checkpoint();
      if (!checkpoint_) {
        remains_ = find_remains(folder_, setup.command, final_files_);
      }
    }
  });
  remains_ = static_cast<Remains>(all_max(world_, static_cast<std::int64_t>(remains_)));
  const std::string found = world_.broadcast_text(checkpoint_ ? checkpoint_->string() : "", 0);
  if (!found.empty()) {
    checkpoint_ = found;
    agree_on_inputs(world_, collectively(world_, [&] {
                      return std::map{std::pair{found, digest_of_model(found)}};
                    }));
    collectively(world_, [&] {
      const StateReader file(*checkpoint_);
      state_ = read_state(file);
      require(state_.command == setup.command,
              "{} belongs to a run of `{}`, not of `{}`. Choose another run folder.", found,
              state_.command, setup.command);
    });
    saved_step_ = state_.step;
    if (state_.layout != setup.layout) {
      log_.warning(
          "The checkpoint was written on `{}`; this is `{}`. The loaded state is the same to the "
          "bit, but what follows agrees to rounding only.",
          state_.layout, setup.layout);
    }
    state_.layout = setup.layout;
  }
  stand_still();
  collectively(world_, [&] {
    require(!resave() || checkpoint_,
            "checkpoint.resave was asked for, but {} holds no checkpoint.", folder_.string());
  });
}

void TrainingRun::stand_still() {
  const std::string newest = (checkpoints_.folder() / checkpoint_name(saved_step_)).string();
  std::error_code ignored;
  const bool has_deck = std::filesystem::exists(folder_ / "deck.cfg", ignored);
  std::string next = fmt::format("begins the run in {}", folder_.string());
  if (remains_ == Remains::final_files) {
    next = "finds it complete";
  } else if (saved_step_ > 0) {
    next = fmt::format("goes on from {}, after {}", newest, counted(saved_step_, "step"));
  } else if (has_deck) {
    next = fmt::format("begins the run in {} again, which has no checkpoint", folder_.string());
  }
  standstill_.emplace(log_, Standstill{.next = next, .has_deck = has_deck});
}

void TrainingRun::check_deck() {
  collectively(world_, [&] {
    if (world_.rank() == 0 && remains_ != Remains::nothing) {
      check_deck_of_remains(folder_, remains_, options_.kept_deck());
    }
    if (world_.rank() == 0 && checkpoint_) {
      const std::string stored = checkpoint_->string();
      check_continued_deck(parse_deck(StateReader(*checkpoint_).text("deck"), stored),
                           parse_deck(options_.kept_deck(), "this command"), stored);
    }
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
          checkpoint_->string(), joined(changed, ", "));
    }
  });
}

void TrainingRun::find_checkpoint() {
  const auto newest =
      checkpoints_.newest([&](const std::string& message) { log_.warning("{}", message); });
  if (newest) {
    checkpoint_ = newest->path;
  }
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
  if (!checkpoint_ || state_.step < total_steps || resave()) {
    return false;
  }
  const std::string done =
      fmt::format("{} {} done", counted(state_.step, "step"), state_.step == 1 ? "is" : "are");
  if (state_.step > total_steps) {
    log_.warning("{}, more than the {} asked for: nothing is trained.", done, total_steps);
  }
  // A file from before the checkpoint is of an earlier end, which train.steps has since moved.
  const auto missing = [&](const std::string& name) {
    std::error_code absent;
    const auto written = std::filesystem::last_write_time(folder_ / name, absent);
    return absent || written < std::filesystem::last_write_time(*checkpoint_);
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
    if (checkpoint_) {
      log_.info("The run goes on from {} after {}.", checkpoint_->string(),
                counted(state_.step, "step"));
    }
    write_file(run_folder_->deck(), options_.kept_deck());
    run_folder_->cut_back(state_.step);
    checkpoints_.set_aside_after(state_.step);
    metrics_ = std::make_unique<RowFile>(run_folder_->metrics());
    if (run_options_.tensorboard) {
      tensorboard_ = std::make_unique<TensorboardFile>(run_folder_->tensorboard());
    }
    progress_ = std::make_unique<Progress>(log_, state_.command, first_step_, total_steps_,
                                           run_options_.log.every_seconds);
    if (run_options_.trace) {
      trace_ = std::make_unique<TraceFile>(folder_ / "trace.json");
      phases_.keep_events();
    }
  });
  collectively(world_, [&] {
    require(!is_writer() || std::filesystem::exists(folder_ / "lock"),
            "The run folder {} of rank 0 is not there on host {}, whose rank writes the "
            "checkpoints. Give one on a file system that all nodes share.",
            folder_.string(), world_.progress().host());
  });
  if (state_.step < total_steps_) {
    tell_how_it_stops();
    standstill_.reset();
    signals_.emplace(
        [this, mpirun = find_mpirun()](const StopSignals::Wish& wish) {
          log_.info("{}", acknowledgement(wish, mpirun));
        },
        [this](int signal) {
          if (world_.rank() == 0) {
            log_.error("{} twice within five seconds: ended without saving.", signal_name(signal));
          }
          end_without_partial_outputs(signal);
        });
  }
  step_watch_.restart();
  checkpoint_watch_.restart();
}

void TrainingRun::tell_how_it_stops() {
  if (allocation_end_) {
    log_.info("The allocation ends at {} ({}): the run saves and stops before.",
              utc_time(allocation_end_->time), allocation_end_->said_by);
  }
  if (const auto mpirun = find_mpirun(); mpirun && mpirun->terminal) {
    log_.info("{}", how_to_stop(*mpirun));
  }
}

void TrainingRun::record(std::int64_t tokens, Row metrics, ProgressNumbers progress) {
  ++state_.step;
  state_.tokens += tokens;
  const double seconds = step_watch_.seconds();
  step_watch_.restart();
  longest_step_ = std::max(longest_step_, seconds);
  if (world_.rank() == 0) {
    Row row{{"step", state_.step}, {"tokens", state_.tokens}};
    row.update(metrics);
    row["seconds"] = seconds;
    for (const auto& [phase, spent] : phases_.seconds()) {
      row["seconds_" + phase] = spent;
    }
    row["tokens_per_second"] = static_cast<double>(tokens) / seconds;
    metrics_->append(row);
    if (tensorboard_) {
      tensorboard_->append(state_.step, row);
    }
    if (trace_) {
      trace_->append(state_.step, phases_);
    }
    progress.tokens_per_second = static_cast<double>(tokens) / seconds;
    progress_->report(state_.step, progress);
  }
  phases_.reset();
}

void TrainingRun::add_samples(const std::vector<Row>& rows) {
  if (world_.rank() == 0 && !rows.empty()) {
    if (!samples_) {
      samples_ = std::make_unique<RowFile>(run_folder_->samples());
    }
    for (const Row& row : rows) {
      samples_->append(row);
    }
  }
}

void TrainingRun::add_episodes(const std::vector<Row>& rows) {
  if (world_.rank() == 0 && !rows.empty()) {
    if (!episodes_) {
      episodes_ = std::make_unique<RowFile>(run_folder_->episodes());
    }
    for (const Row& row : rows) {
      episodes_->append(row);
    }
  }
}

bool TrainingRun::checkpoint_is_due() const {
  const CheckpointOptions& o = checkpoint_options_;
  const bool by_steps = o.every_steps > 0 && state_.step % o.every_steps == 0;
  const double interval =
      std::max(60 * o.every_minutes, CheckpointOptions::least_interval * last_save_);
  return by_steps || (o.every_minutes > 0 && checkpoint_watch_.seconds() >= interval);
}

std::int64_t TrainingRun::wish() const {
  if (const int signal = signals_->received(); signal != 0) {
    return Wish::signal_received + signal;
  }
  if (allocation_end_) {
    const double left =
        std::chrono::duration<double>(allocation_end_->time - std::chrono::system_clock::now())
            .count();
    if (left < 2 * (longest_step_ + longest_save_) + margin_seconds) {
      return Wish::end_of_allocation;
    }
  }
  if (stop_after_ > 0 && state_.step - first_step_ >= stop_after_) {
    return Wish::stop_after;
  }
  return checkpoint_is_due() ? Wish::checkpoint : Wish::go_on;
}

std::string TrainingRun::cause_of(std::int64_t wish) const {
  if (wish >= Wish::signal_received) {
    return fmt::format("{} was received",
                       signal_name(static_cast<int>(wish - Wish::signal_received)));
  }
  if (wish == Wish::end_of_allocation) {
    return allocation_end_ ? fmt::format("the allocation ends at {} ({})",
                                         utc_time(allocation_end_->time), allocation_end_->said_by)
                           : "the allocation of another rank ends";
  }
  return fmt::format("train.stop_after is {}", stop_after_);
}

bool TrainingRun::safe_point(const Describe& describe) {
  const bool complete = state_.step >= total_steps_;
  const std::int64_t agreed = all_max(world_, wish());
  const bool must_stop = agreed > Wish::checkpoint && !complete;
  if (agreed > Wish::go_on || complete) {
    const Stopwatch watch;
    try {
      save(describe);
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
    last_save_ = watch.seconds();
    longest_save_ = std::max(longest_save_, last_save_);
    checkpoint_watch_.restart();
  }
  if (complete) {
    signals_.reset();
    stand_still();
  }
  if (must_stop) {
    log_.info("Stopped after {} of {} steps, with a checkpoint: {}. Run the same command to go on.",
              state_.step, total_steps_, cause_of(agreed));
  }
  return must_stop;
}

void TrainingRun::guard(const std::function<void()>& check, const Describe& describe, bool intact) {
  try {
    collectively(world_, check);
  } catch (const AgreedError& trouble) {
    throw AgreedError(
        fmt::format("{} The run stops. {}", trouble.what(), keep_last_state(describe, intact)),
        trouble.status(), trouble.rank(), trouble.ranks());
  }
}

std::string TrainingRun::keep_last_state(const Describe& describe, bool intact) {
  if (intact && state_.step > saved_step_) {
    try {
      save(describe, OldCheckpoints::keep);
    } catch (const AgreedError& error) {
      return error.what();
    }
  }
  return last_checkpoint();
}

std::string TrainingRun::last_checkpoint() const {
  return saved_step_ == 0
             ? "The run has no checkpoint yet."
             : fmt::format("The run's state after step {} is in {}.", saved_step_,
                           (checkpoints_.folder() / checkpoint_name(saved_step_)).string());
}

void TrainingRun::save_again(const Describe& describe) {
  collectively(world_, [&] {
    if (world_.rank() == 0) {
      checkpoints_.set_aside_after(state_.step);
    }
  });
  save(describe);
}

void TrainingRun::save(const Describe& describe, OldCheckpoints old) {
  try {
    // A checkpoint must not outlast rows that are older than it.
    collectively(world_, [&] {
      for (const auto* rows : {&metrics_, &samples_, &episodes_}) {
        if (*rows) {
          (*rows)->sync();
        }
      }
    });
    collectively(world_, [&] {
      if (is_writer()) {
        const auto all = [&](StateWriter& file) {
          file.attribute("layout", state_.layout);
          file.text("state", to_text(state_));
          file.text("deck", options_.kept_deck());
          describe(file);
        };
        (void)checkpoints_.write(state_.step, all, old);
      }
    });
  } catch (const AgreedError& error) {
    throw AgreedError(fmt::format("The checkpoint of step {} was not written: {} {}", state_.step,
                                  error.what(), last_checkpoint()),
                      error.status(), error.rank(), error.ranks());
  }
  saved_step_ = state_.step;
}

}  // namespace precis
