// The `log.` keys of commands that run for long.
#pragma once

#include "base/log.hpp"
#include "base/options.hpp"

namespace precis {

struct LogOptions {
  LogLevel level = LogLevel::info;
  double every_seconds = 30;  ///< for `Progress` without a terminal
  bool all_ranks = false;
};

void add_log_options(OptionTable& table, LogOptions& options);

/// Sets the log's level and who writes.
void apply(const LogOptions& options, int rank, Log& log);

}  // namespace precis
