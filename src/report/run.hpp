// One run folder as a report shows it, whatever state it is in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deck.hpp"
#include "report/curve.hpp"
#include "report/samples.hpp"

namespace precis {

enum class RunKind { sft, reward, ppo, unknown };
[[nodiscard]] std::string_view name_of(RunKind kind);

/// What log.txt tells.
struct RunLog {
  struct Line {
    std::string time, level, text;
  };
  std::string first_time, last_time;
  std::string machine;           ///< "4 ranks (...), 1 thread each, cpu (AVX-512, ...), f32"
  std::string memory;            ///< the line on the peak
  std::int64_t launches = 0;     ///< how often the command was started
  std::int64_t total_steps = 0;  ///< as the progress lines have it; 0: unknown
  std::vector<Line> events;      ///< warnings, errors, stops and continuations, the last 40
  std::int64_t left_out = 0;     ///< events before those
  std::int64_t warnings = 0;
  bool stopped_by_guard = false;  ///< the last event says so
  bool stopped_early = false;
};

struct ReportedRun {
  std::filesystem::path folder;
  std::string name;  ///< set by the caller, who knows the others
  RunKind kind = RunKind::unknown;
  std::vector<std::pair<std::string, Curve>> metrics;  ///< by step, in the order of the file
  std::int64_t steps = 0;                              ///< rows of metrics.jsonl
  std::int64_t last_step = 0;
  std::string deck_text;
  std::vector<DeckEntry> deck;
  RunLog log;
  RunSamples samples;
  bool has_model = false;  ///< the files that are written at the end are there
  bool locked = false;
  std::vector<std::string> problems;  ///< sentences on what is missing or broken

  [[nodiscard]] const Curve* find(std::string_view metric) const;
  [[nodiscard]] std::string deck_value(std::string_view key) const;
  /// "complete", "stopped after step 12 of 40", ...
  [[nodiscard]] std::string state() const;
};

/// Reads the folder. What cannot be read becomes a problem, never an error.
[[nodiscard]] ReportedRun read_run(const std::filesystem::path& folder);

}  // namespace precis
