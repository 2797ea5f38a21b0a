#include "train/train_options.hpp"

#include <string>

#include "train/data_parts.hpp"

namespace precis {

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
  table.add(
      "exact.data_parts", &o.data_parts,
      {.unit = "parts",
       .meaning = "into which a step's rows are cut, a power of two: f32 results on the CPU "
                  "have the same bits on every number of ranks that divides it. Where a rank has "
                  "more than one, each is a micro-batch at least and takes two passes over the "
                  "gradients, and each doubling takes memory for them once more",
       .source = "precis",
       .maximum = static_cast<double>(most_data_parts),
       .default_text = "the ranks (dp) of the run's first launch, if a power of two, else 1"});
  add_tensor_parts_option(table, o.tensor_parts);
  add_parallel_options(table, o.parallel);
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
            {.meaning = "rate at the end, as a fraction of the peak",
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
