#include "base/log.hpp"

#include <spdlog/details/log_msg_buffer.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <vector>

#include "base/error.hpp"

namespace precis {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

/// Plain messages on stderr, above a last line that can be rewritten when stderr is a terminal.
class TerminalSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

  void show_live_line(const std::string& text) {
    const std::lock_guard lock(mutex_);
    // A line that wraps could not be taken back.
    live_line_ = text.substr(0, columns() - 1U);
    write_live_line();
  }

  void clear_live_line() {
    const std::lock_guard lock(mutex_);
    if (!live_line_.empty()) {
      live_line_.clear();
      write_live_line();
    }
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const char* prefix = "";
    if (message.level == spdlog::level::err) {
      prefix = "precis: ";
    } else if (message.level == spdlog::level::warn) {
      prefix = "precis: warning: ";
    }
    // One call for the whole message, so that those of several ranks do not mix.
    const std::string line =
        fmt::format("{}{}{}\n", live_line_.empty() ? "" : clear_line, prefix, text);
    std::fwrite(line.data(), 1, line.size(), stderr);
    if (!live_line_.empty()) {
      write_live_line();
    }
  }

  void flush_() override { std::fflush(stderr); }

 private:
  static constexpr const char* clear_line = "\r\x1b[K";

  /// Of the terminal; of an old one where that cannot be known.
  static std::size_t columns() {
    constexpr std::size_t usual = 80;
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : usual;
  }

  void write_live_line() {
    const std::string line = clear_line + live_line_;
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fflush(stderr);
  }

  bool is_terminal_ = isatty(STDERR_FILENO) == 1;
  std::string live_line_;
};

/// Keeps the first messages for a file that is opened later: what a run says before it has a
/// folder.
class EarlySink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// Hands the messages on and keeps no more.
  void move_to(spdlog::sinks::sink& file) {
    const std::lock_guard lock(mutex_);
    for (const auto& message : messages_) {
      file.log(message);
    }
    messages_.clear();
    done_ = true;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (!done_ && messages_.size() < most_messages) {
      messages_.emplace_back(message);
    }
  }
  void flush_() override {}

 private:
  static constexpr std::size_t most_messages = 1000;
  std::vector<spdlog::details::log_msg_buffer> messages_;
  bool done_ = false;
};

}  // namespace

struct Log::Sinks {
  std::shared_ptr<TerminalSink> terminal = std::make_shared<TerminalSink>();
  std::shared_ptr<EarlySink> early = std::make_shared<EarlySink>();
  spdlog::logger logger{"precis", {terminal, early}};
  LogLevel level = LogLevel::info;
  int rank = 0;
  bool all_ranks = false;
  LiveLine live_line = LiveLine::automatic;
  bool file_failed = false;
};

Log::Log(LogLevel level) : sinks_(std::make_unique<Sinks>()) {
  set_level(level);
  sinks_->logger.flush_on(spdlog::level::trace);
  // A sink that fails is the log file; the run goes on without it and says so once.
  sinks_->logger.set_error_handler([sinks = sinks_.get()](const std::string& cause) {
    if (!std::exchange(sinks->file_failed, true)) {
      const std::string line =
          fmt::format("precis: warning: the log file cannot be written: {}\n", cause);
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
  });
}

Log::~Log() = default;
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

void Log::set_level(LogLevel level) {
  sinks_->level = level;
  sinks_->logger.set_level(spdlog_level(level));
}

void Log::set_rank(int rank, bool all_ranks) {
  sinks_->rank = rank;
  sinks_->all_ranks = all_ranks;
}

void Log::set_live_line(LiveLine when) { sinks_->live_line = when; }

void Log::add_file(const std::filesystem::path& file) {
  if (sinks_->rank != 0) {
    return;
  }
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%SZ %l: %v", spdlog::pattern_time_type::utc));
    sinks_->early->move_to(*sink);
    sinks_->logger.sinks().push_back(std::move(sink));
  } catch (const spdlog::spdlog_ex& error) {
    fail("Cannot open the log file {}: {}", file.string(), error.what());
  }
}

bool Log::writes(LogLevel level) const {
  return level >= sinks_->level &&
         (sinks_->rank == 0 || sinks_->all_ranks || level == LogLevel::error);
}

void Log::write(LogLevel level, fmt::string_view format, fmt::format_args args) {
  if (!writes(level)) {
    return;
  }
  std::string text = fmt::vformat(format, args);
  if (sinks_->rank != 0) {
    text = fmt::format("rank {}: {}", sinks_->rank, text);
  }
  sinks_->logger.log(spdlog_level(level), spdlog::string_view_t(text));
}

bool Log::has_live_line() const {
  const bool wanted = sinks_->live_line == LiveLine::automatic
                          ? sinks_->terminal->is_terminal()
                          : sinks_->live_line == LiveLine::always;
  return wanted && sinks_->rank == 0 && writes(LogLevel::info);
}

void Log::show_live_line(const std::string& text) {
  if (has_live_line()) {
    sinks_->terminal->show_live_line(text);
  }
}

void Log::clear_live_line() { sinks_->terminal->clear_live_line(); }

}  // namespace precis
