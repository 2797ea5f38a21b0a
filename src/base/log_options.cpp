#include "base/log_options.hpp"

namespace precis {

void add_log_options(OptionTable& table, LogOptions& options) {
  table.add("log.level", &options.level,
            {{"debug", LogLevel::debug},
             {"info", LogLevel::info},
             {"warning", LogLevel::warning},
             {"error", LogLevel::error}},
            {.meaning = "least important messages that are written", .source = "precis"});
  table.add(
      "log.progress", &options.progress,
      {{"auto", LiveLine::automatic}, {"always", LiveLine::always}, {"never", LiveLine::never}},
      {.meaning = "a progress line that is rewritten in place: auto: where stderr is a "
                  "terminal, which it is not under mpirun",
       .source = "precis"});
  table.add(
      "log.every_seconds", &options.every_seconds,
      {.unit = "seconds",
       .meaning = "time between two plain progress lines where none is rewritten; 0: one each "
                  "step",
       .source = "precis",
       .maximum = 1e9});
  table.add("log.all_ranks", &options.all_ranks,
            {.meaning = "every rank writes messages, not rank 0 alone", .source = "precis"});
}

void apply(const LogOptions& options, int rank, Log& log) {
  log.set_level(options.level);
  log.set_rank(rank, options.all_ranks);
  log.set_live_line(options.progress);
}

}  // namespace precis
