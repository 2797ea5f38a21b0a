#include "report/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>

#include "base/error.hpp"
#include "base/text.hpp"
#include "io/jsonl.hpp"
#include "report/files.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_metrics = 200;
constexpr std::size_t longest_deck = std::size_t{1} << 20;
constexpr std::size_t longest_log_line = std::size_t{1} << 14;
constexpr std::size_t most_events = 40;

/// Runs `read` and turns its error into a problem of the run.
template <class Read>
void try_to(ReportedRun& run, std::string_view file, const Read& read) {
  try {
    read();
  } catch (const std::exception& error) {
    run.problems.push_back(fmt::format("{}: {}{}", file, error.what(),
                                       std::string_view(error.what()).ends_with('.') ? "" : "."));
  }
}

void read_metrics(ReportedRun& run) {
  std::map<std::string, std::size_t, std::less<>> places;
  bool too_many = false;
  const SkippedRows skipped = read_loose_rows(
      run.folder / "metrics.jsonl", [&](const nlohmann::json& row, const std::string& where) {
        const auto step = number_in(row, "step");
        if (!step || (run.steps > 0 && *step <= static_cast<double>(run.last_step)) ||
            std::abs(*step) > 1e15) {
          throw BadRow(fmt::format("{}: the step is missing, or not after the one before.", where));
        }
        run.last_step = static_cast<std::int64_t>(*step);
        ++run.steps;
        for (const auto& [key, value] : row.items()) {
          if (key == "step" || !(value.is_number() || value.is_null())) {
            continue;
          }
          auto place = places.find(key);
          if (place == places.end()) {
            if (places.size() == most_metrics) {
              too_many = true;
              continue;
            }
            place = places.emplace(key, run.metrics.size()).first;
            run.metrics.emplace_back(key, Curve());
          }
          run.metrics[place->second].second.add(
              *step, value.is_null() ? std::nan("") : value.get<double>());
        }
        return true;
      });
  if (const std::string text = skipped.describe("metrics.jsonl"); !text.empty()) {
    run.problems.push_back(text);
  }
  if (too_many) {
    run.problems.push_back(fmt::format(
        "metrics.jsonl: more than {} different metrics; the others are left out.", most_metrics));
  }
  if (run.steps == 0) {
    run.problems.emplace_back("metrics.jsonl: no step is in it yet.");
  }
  for (const auto& [name, curve] : run.metrics) {
    if (curve.not_finite() > 0) {
      run.problems.push_back(fmt::format("metrics.jsonl: {} is not a finite number at {}.", name,
                                         counted(curve.not_finite(), "step")));
    }
  }
}

void read_deck_file(ReportedRun& run) {
  run.deck_text = read_start(run.folder / "deck.cfg", longest_deck);
  run.deck = parse_deck(run.deck_text, "deck.cfg");
}

/// N of "step 12/N loss ..."; 0 if the line has no such text.
std::int64_t total_steps_in(std::string_view text) {
  const auto step = text.find("  step ");
  const auto slash = step == std::string_view::npos ? step : text.find('/', step);
  std::string digits;
  for (std::size_t i = slash;
       i != std::string_view::npos && ++i < text.size() && digits.size() < 15;) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) != 0) {
      digits += text[i];
    } else if (text[i] != ',') {
      break;
    }
  }
  std::int64_t total = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), total);
  return total;
}

void take_log_line(RunLog& log, RunLog::Line line) {
  const std::string_view text = line.text;
  log.first_time = log.first_time.empty() ? line.time : log.first_time;
  log.last_time = line.time;
  const bool trouble = line.level == "warning" || line.level == "error";
  bool event = trouble;
  if (text.starts_with("Running on ")) {
    log.machine = text.substr(11);
    ++log.launches;
    log.stopped_by_guard = log.stopped_early = false;
  } else if (text.starts_with("Peak ")) {
    log.memory = text;
  } else if (text.starts_with("Stopped after ")) {
    log.stopped_early = event = true;
  } else if (text.starts_with("The run goes on ") || text.find("was received") != text.npos) {
    event = true;
  } else if (const std::int64_t total = total_steps_in(text); total > 0) {
    log.total_steps = total;
  }
  log.stopped_by_guard =
      log.stopped_by_guard || (line.level == "error" && text.find("The run stops.") != text.npos);
  log.warnings += trouble ? 1 : 0;
  if (event) {
    if (log.events.size() == most_events) {
      log.events.erase(log.events.begin());
      ++log.left_out;
    }
    log.events.push_back(std::move(line));
  }
}

/// "2026-11-23T19:23:24Z info: text"; nothing if the line is not of that form.
std::optional<RunLog::Line> parse_log_line(std::string_view line) {
  const auto blank = line.find(' ');
  const auto colon = line.find(": ");
  if (blank != 20 || line[19] != 'Z' || colon == std::string_view::npos || colon < blank) {
    return std::nullopt;
  }
  const std::string_view level = line.substr(blank + 1, colon - blank - 1);
  if (level != "debug" && level != "info" && level != "warning" && level != "error") {
    return std::nullopt;
  }
  return RunLog::Line{std::string(line.substr(0, blank)), std::string(level),
                      std::string(line.substr(colon + 2))};
}

void read_log(ReportedRun& run) {
  std::optional<RunLog::Line> open;  // lines without that form belong to the one before
  std::int64_t strange = 0;
  for_each_line(run.folder / "log.txt", longest_log_line, [&](std::string_view line, bool) {
    if (auto next = parse_log_line(line)) {
      if (open) {
        take_log_line(run.log, std::move(*open));
      }
      open = std::move(next);
    } else if (open && open->text.size() < longest_log_line) {
      open->text += "\n" + std::string(line);
    } else {
      ++strange;
    }
    return true;
  });
  if (open) {
    take_log_line(run.log, std::move(*open));
  }
  if (strange > 0) {
    run.problems.push_back(fmt::format("log.txt: {} not of a log of precis.",
                                       strange == 1 ? "a line is" : "lines are"));
  }
}

RunKind kind_of(const ReportedRun& run) {
  const auto has_section = [&](std::string_view section) {
    return std::ranges::any_of(
        run.deck, [&](const DeckEntry& entry) { return entry.key.starts_with(section); });
  };
  if (has_section("ppo.") || run.find("score_mean") != nullptr) {
    return RunKind::ppo;
  }
  if (has_section("sft.")) {
    return RunKind::sft;
  }
  if (run.find("accuracy") != nullptr || has_section("data.train_split")) {
    return RunKind::reward;
  }
  return run.find("loss") != nullptr ? RunKind::sft : RunKind::unknown;
}

}  // namespace

std::string_view name_of(RunKind kind) {
  switch (kind) {
    case RunKind::sft:
      return "Supervised fine-tuning";
    case RunKind::reward:
      return "Reward model";
    case RunKind::ppo:
      return "PPO";
    case RunKind::unknown:
      break;
  }
  return "Runs of unknown kind";
}

const Curve* ReportedRun::find(std::string_view metric) const {
  const auto found = std::ranges::find(metrics, metric, &std::pair<std::string, Curve>::first);
  return found == metrics.end() ? nullptr : &found->second;
}

std::string ReportedRun::deck_value(std::string_view key) const {
  const auto found = std::ranges::find(deck, key, &DeckEntry::key);
  return found == deck.end() ? "" : found->value;
}

std::string ReportedRun::state() const {
  const std::string where =
      log.total_steps > 0
          ? fmt::format("step {} of {}", with_thousands(last_step), with_thousands(log.total_steps))
          : fmt::format("step {}", with_thousands(last_step));
  if (log.stopped_by_guard) {
    return fmt::format("stopped by an error after {}", where);
  }
  if (has_model && (log.total_steps == 0 || last_step >= log.total_steps)) {
    return fmt::format("complete, {}", counted(last_step, "step"));
  }
  if (log.stopped_early) {
    return fmt::format("stopped early after {}; it can go on", where);
  }
  return steps == 0 ? "nothing was recorded"
                    : fmt::format("{} after {}",
                                  locked ? "still running, or killed," : "unfinished", where);
}

ReportedRun read_run(const fs::path& folder) {
  ReportedRun run;
  run.folder = folder;
  try_to(run, "metrics.jsonl", [&] { read_metrics(run); });
  try_to(run, "deck.cfg", [&] { read_deck_file(run); });
  try_to(run, "log.txt", [&] { read_log(run); });
  run.kind = kind_of(run);
  std::error_code error;
  if (fs::exists(folder / "samples.jsonl", error)) {
    try_to(run, "samples.jsonl",
           [&] { read_samples_file(folder / "samples.jsonl", run.samples, run.problems); });
  }
  if (fs::exists(folder / "episodes.jsonl", error)) {
    try_to(run, "episodes.jsonl",
           [&] { read_episodes_file(folder / "episodes.jsonl", run.samples, run.problems); });
  }
  run.has_model = fs::exists(folder / "model.h5", error) || fs::exists(folder / "policy.h5", error);
  run.locked = fs::exists(folder / "lock", error);
  return run;
}

}  // namespace precis
