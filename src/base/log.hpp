// The log: messages for people on stderr and, for a run, in its log.txt. Results go to stdout.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace precis {

enum class LogLevel { debug, info, warning, error };

/// When a last line is rewritten in place: on a terminal (automatic), whatever stderr is, or never.
enum class LiveLine { automatic, always, never };

/// Writes messages of at least its level to stderr and to a file if one was added. Owned by main
/// and passed by reference. Ranks other than 0 are silent below `error` unless they are told
/// otherwise. Safe to use from several threads.
class Log {
 public:
  explicit Log(LogLevel level = LogLevel::info);
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  void set_level(LogLevel level);
  /// Tells the log which MPI rank this is. With `all_ranks` every rank writes, its rank before each
  /// message.
  void set_rank(int rank, bool all_ranks = false);
  /// Decides about the live line. Under mpirun stderr is a pipe, whatever stands behind it.
  void set_live_line(LiveLine when);
  /// Also appends messages, those so far and those to come, with a UTC time stamp and level, to
  /// `file` (rank 0 only; elsewhere nothing happens). Throws Error if it cannot be opened.
  void add_file(const std::filesystem::path& file);

  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::debug, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::info, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::warning, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::error, format, fmt::make_format_args(args...));
  }

  /// Whether this rank writes, and to a terminal or as `set_live_line` said, so that a line can be
  /// rewritten.
  [[nodiscard]] bool has_live_line() const;
  /// Shows `text` as the terminal's last line, in place of the one before; messages are written
  /// above it. Nothing happens without a live line.
  void show_live_line(const std::string& text);
  /// Takes the live line away.
  void clear_live_line();

 private:
  struct Sinks;
  void write(LogLevel level, fmt::string_view format, fmt::format_args args);
  [[nodiscard]] bool writes(LogLevel level) const;

  std::unique_ptr<Sinks> sinks_;
};

}  // namespace precis
