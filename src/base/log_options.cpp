#include "base/log_options.hpp"

namespace precis {

void add_log_options(OptionTable& table, LogOptions& options) {
  table.add("log.level", &options.level,
            {{"debug", LogLevel::debug},
             {"info", LogLevel::info},
             {"warning", LogLevel::warning},
             {"error", LogLevel::error}},
            {.meaning = "least important messages that are written", .source = "precis"});
  table.add("log.every_seconds", &options.every_seconds,
            {.unit = "seconds",
             .meaning = "time between two progress lines where stderr is not a terminal",
             .source = "precis",
             .maximum = 1e9});
  table.add("log.all_ranks", &options.all_ranks,
            {.meaning = "every rank writes messages, not rank 0 alone", .source = "precis"});
}

void apply(const LogOptions& options, int rank, Log& log) {
  log.set_level(options.level);
  log.set_rank(rank, options.all_ranks);
}

}  // namespace precis
