#include "train/machine_options.hpp"

namespace precis {

void add_machine_options(OptionTable& table, MachineOptions& o) {
  table.add("seed", &o.seed,
            {.meaning = "from which all random numbers follow", .source = "precis"});
  table.add(
      "threads", &o.threads,
      {.meaning = "threads of each rank; 0: as OMP_NUM_THREADS says, where it is set, else an "
                  "equal part of the cores it may use",
       .source = "precis",
       .maximum = 1e6,
       .launch = true});
  table.add(
      "grid", &o.grid,
      {.meaning =
           "layout of the ranks, as dp=2,pp=2,tp=2: copies of the model, its stages, shares of "
           "each layer; one left out is 1; empty: dp = number of "
           "ranks",
       .source = "precis",
       .launch = true});
  table.add(
      "device", &o.device,
      {.meaning = "where to compute; auto: on a GPU, if there is one and one rank (this version: "
                  "no more), else on the CPU",
       .source = "precis",
       .choices = {"auto", "cpu", "cuda"},
       .launch = true});
  table.add(
      "precision", &o.precision,
      {.meaning = "of activations and of the weights they meet (this version: f32 only on the "
                  "CPU); what is trained is kept in f32",
       .source = "precis",
       .choices = {"f32", "bf16"},
       .default_text = "f32 on the CPU, bf16 on a GPU"});
  table.add("watchdog_seconds", &o.watchdog_seconds,
            {.unit = "seconds",
             .meaning = "a rank without progress for this long ends the job; 0: off",
             .source = "precis",
             .maximum = 1e9});
}

}  // namespace precis
