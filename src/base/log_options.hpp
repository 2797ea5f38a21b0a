// The `log.` keys of commands that run for long.
#pragma once

#include "base/log.hpp"
#include "base/options.hpp"

namespace precis {

struct LogOptions {
  LogLevel level = LogLevel::info;
  LiveLine progress = LiveLine::automatic;
  double every_seconds = 30;  ///< for `Progress` without a live line
  bool all_ranks = false;
};

void add_log_options(OptionTable& table, LogOptions& options);

/// Sets the log's level and who writes.
void apply(const LogOptions& options, int rank, Log& log);

}  // namespace precis
