#include "train/run_options.hpp"

namespace precis {

void add_run_options(OptionTable& table, RunOptions& o) {
  table.add("run", &o.run,
            {.meaning = "run folder; if it holds a checkpoint, the run goes on from there",
             .required = true,
             .file = FileUse::output});
  add_machine_options(table, o.machine);
  table.add(
      "end_time", &o.end_time,
      {.meaning = "when the allocation ends (seconds since 1970, or an ISO time; none: never): the "
                  "run saves and stops before it",
       .source = "precis",
       .default_text = "SLURM_JOB_END_TIME, where Slurm has set it",
       .launch = true});
  table.add(
      "trace", &o.trace,
      {.meaning = "write what each rank of this launch does at which time to RUN/trace.json (for "
                  "ui.perfetto.dev)",
       .source = "precis",
       .launch = true});
  table.add("dry_run", &o.dry_run,
            {.meaning = "print layout, batches, memory and time, and stop",
             .source = "precis",
             .launch = true});
  add_log_options(table, o.log);
  table.add("log.tensorboard", &o.tensorboard,
            {.meaning = "write each step's numbers to an event file for TensorBoard in the run "
                        "folder as well",
             .source = "precis"});
}

}  // namespace precis
