// A timeline of the work of all ranks, in Chrome's trace format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/work_log.hpp"
#include "parallel/mailbox.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// Where events of a rank's log stand on the common time line.
struct TraceRank {
  int rank = 0;
  std::string host;
  std::int64_t zero = 0;  ///< the common time 0, in nanoseconds of the rank's own clock
};

/// The names of a rank and of its tracks, as events.
[[nodiscard]] std::string trace_names(const TraceRank& rank);
/// Complete events ("ph": "X"; times in microseconds) for what `log` has kept since the last call,
/// separated by commas, those that enclose others before them; and, where older ones did not fit
/// into its memory, an instant event that says so. Empty if there are none.
struct TraceText {
  std::string events;
  std::int64_t dropped = 0;
};
[[nodiscard]] TraceText take_trace(WorkLog& log, const TraceRank& rank);

/// Writes the JSON object that chrome://tracing and Perfetto read: {"traceEvents": [...],
/// "otherData": {...}}. The file is whole after every `append`.
class TraceFile {
 public:
  /// Replaces what is there. Throws Error if it cannot be written.
  explicit TraceFile(std::filesystem::path path);

  /// Events of one rank, and how many more it had.
  void append(int rank, const TraceText& text);

 private:
  void write(const std::string& text);
  [[nodiscard]] std::string end_text() const;

  std::filesystem::path path_;
  std::ofstream file_;
  std::streampos end_;  // where the array's closing bracket is
  bool empty_ = true;
  std::map<std::string, std::int64_t> dropped_;  // by rank
};

/// The trace of a run: each rank keeps its events in memory of fixed size and writes them as text,
/// which rank 0 puts into the file.
class RunTrace {
 public:
  /// The events of one rank that there is memory for, some 5 MB, between two visits to the file.
  static constexpr std::size_t kept_events = std::size_t{1} << 16;

  /// Collective. The log of `world` keeps its events.
  RunTrace(RankGroup& world, const std::filesystem::path& path);

  /// Whether this rank would like to hand over its events, as it has not for a second or its memory
  /// is filling up.
  [[nodiscard]] bool is_due() const;
  /// Collective: the events since the last call go into the file. Throws Error on rank 0 if it
  /// cannot be written.
  void collect();

 private:
  void receive_from_others();

  RankGroup& world_;
  TraceRank mine_;
  std::optional<TraceFile> file_;   // rank 0
  std::unique_ptr<RankGroup> own_;  // a message space for the mailbox
  std::optional<Mailbox> to_first_;
  Stopwatch since_last_;
};

}  // namespace precis
