#include "train/checkpoint_options.hpp"

#include <fmt/format.h>

namespace precis {

void add_checkpoint_options(OptionTable& table, CheckpointOptions& o) {
  table.add("checkpoint.every_steps", &o.every_steps,
            {.unit = "steps",
             .meaning = "between checkpoints; 0: not by steps",
             .source = "precis",
             .maximum = 1e9});
  table.add("checkpoint.every_minutes", &o.every_minutes,
            {.unit = "minutes",
             .meaning = fmt::format(
                 "between checkpoints, and at least {} times what the last one took; 0: "
                 "not by time",
                 CheckpointOptions::least_interval),
             .source = "precis",
             .maximum = 1e9});
  table.add("checkpoint.keep", &o.keep,
            {.meaning = "newest checkpoints that are kept",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e9});
  table.add("checkpoint.on_failure", &o.on_failure,
            {{"stop", OnFailure::stop}, {"warn", OnFailure::warn}},
            {.meaning = "when a checkpoint cannot be written", .source = "precis"});
  table.add("checkpoint.resave", &o.resave,
            {.meaning = "read the newest checkpoint, write the same step again, and stop",
             .source = "precis",
             .launch = true});
}

}  // namespace precis
