#include "train/options.hpp"

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
           "layout of the ranks, as dp=2 (this version: dp only); empty: dp = number of ranks",
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
      {.meaning = "write the phases of each step of this launch to RUN/trace.json (Chrome's trace "
                  "format)",
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

void add_train_options(OptionTable& table, TrainOptions& o, TrainUse use) {
  const std::string paper = "Stiennon 2020, appendix B";
  const std::string lm2019 = "Ziegler 2019 (n/r in Stiennon 2020)";
  switch (use) {
    case TrainUse::sft:
      break;
    case TrainUse::reward:
      o.batch = 64;
      o.learning_rate = 1.5e-5;
      break;
    case TrainUse::ppo:
      o.learning_rate = 1.5e-5;
      o.schedule = Schedule::linear;
      o.epsilon = 1e-5;
      break;
  }
  const bool supervised = use != TrainUse::ppo;
  table.add("train.steps", &o.steps,
            {.unit = "steps",
             .meaning = supervised ? "optimizer steps; 0: by train.epochs" : "batches of rollouts",
             .source = paper + ": one epoch",
             .maximum = 1e9,
             .required = !supervised});
  table.add("train.stop_after", &o.stop_after,
            {.unit = "steps",
             .meaning = "save and stop (status 75) after this many steps of this launch; 0: off",
             .source = "precis",
             .maximum = 1e9,
             .launch = true});
  if (supervised) {
    table.add("train.epochs", &o.epochs,
              {.meaning = "passes over the training rows",
               .source = paper,
               .minimum = 1,
               .maximum = 1e9});
    table.add("train.batch", &o.batch,
              {.unit = use == TrainUse::sft ? "rows" : "pairs",
               .meaning = "of an optimizer step, over all ranks",
               .source = paper,
               .minimum = 1,
               .maximum = 1e9});
  }
  table.add("train.micro_batch_tokens", &o.micro_batch_tokens,
            {.unit = "tokens",
             .meaning = "that pass through the model at a time, on each rank",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e9});
  table.add("train.learning_rate", &o.learning_rate,
            {.meaning = "peak rate", .source = paper + ", 1.3B", .maximum = 1e30});
  table.add("train.schedule", &o.schedule,
            {{"constant", Schedule::constant},
             {"linear", Schedule::linear},
             {"cosine", Schedule::cosine}},
            {.meaning = "how the rate falls", .source = paper});
  table.add("train.warmup_steps", &o.warmup_steps,
            {.unit = "steps",
             .meaning = "over which the rate rises",
             .source = "precis: none",
             .maximum = 1e9});
  table.add("train.final_rate", &o.final_rate,
            {.meaning = "rate at the end, as a part of the peak",
             .source = supervised ? "precis" : paper,
             .maximum = 1});
  table.add("train.weight_decay", &o.weight_decay,
            {.meaning = "decoupled, on matrices only", .source = "precis: none", .maximum = 1e6});
  table.add("train.beta1", &o.beta1,
            {.meaning = "Adam's first decay", .source = "Kingma and Ba 2015", .below = 1});
  table.add("train.beta2", &o.beta2,
            {.meaning = "Adam's second decay", .source = "Kingma and Ba 2015", .below = 1});
  table.add("train.epsilon", &o.epsilon,
            {.meaning = "Adam's epsilon",
             .source = use == TrainUse::ppo ? lm2019 : "Kingma and Ba 2015",
             .maximum = 1e6});
  table.add("train.epsilon_placement", &o.epsilon_placement,
            {{"pytorch", EpsilonPlace::pytorch}, {"tensorflow", EpsilonPlace::tensorflow}},
            {.meaning = "beside the corrected or the uncorrected root", .source = "PyTorch"});
  table.add(
      "train.clip_norm", &o.clip_norm,
      {.meaning = "largest norm of the gradient; 0: off", .source = "precis", .maximum = 1e30});
  if (supervised) {
    table.add("train.valid_every", &o.valid_every,
              {.unit = "steps",
               .meaning = "between validations; 0: at the end only",
               .source = "precis",
               .maximum = 1e9});
    table.add("train.keep", &o.keep, {{"last", KeepModel::last}, {"best", KeepModel::best}},
              {.meaning = "the model that is kept at the end",
               .source = use == TrainUse::reward ? paper + ": best by validation" : "precis",
               .default_text = use == TrainUse::reward ? "best with data.valid, else last" : ""});
  }
}

}  // namespace precis
