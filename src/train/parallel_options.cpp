#include "train/parallel_options.hpp"

#include "train/data_parts.hpp"

namespace precis {

void add_parallel_options(OptionTable& table, ParallelOptions& o) {
  table.add(
      "parallel.schedule", &o.schedule,
      {{"gpipe", PipelineSchedule::gpipe},
       {"1f1b", PipelineSchedule::one_forward_one_backward},
       {"zb", PipelineSchedule::zero_bubble}},
      {.meaning = "in which order a pipeline's stages (pp) work on micro-batches: all forward, "
                  "then all backward; one forward, one backward; or the same with weights' "
                  "gradients put off (ZB-H1). Results are the same",
       .source = "Narayanan et al. 2021",
       .launch = true});
  table.add("parallel.stages", &o.stages,
            {.meaning = "blocks of each stage of a pipeline (pp; ppo: the learner's), as 4,4,3; "
                        "empty: by cost",
             .source = "precis",
             .launch = true});
  table.add("parallel.recompute", &o.activations.recompute,
            {{"none", Recompute::none}, {"block", Recompute::block}, {"full", Recompute::full}},
            {.meaning = "what the backward pass computes again, which then takes no memory between "
                        "the passes: nothing; all but the input of each block, for about a third "
                        "more work; or all but the input of a pipeline's stage, for two thirds "
                        "more, which pays with several micro-batches in flight (pp). Results are "
                        "the same",
             .source = "Chen et al. 2016",
             .launch = true});
  table.add("parallel.sequence", &o.activations.sequence_parallel,
            {.meaning = "the ranks that share a layer (tp) each hold a part of the tokens' "
                        "activations between its products (sequence parallelism). Results are the "
                        "same",
             .source = "Korthikanti et al. 2022",
             .launch = true});
  table.add("parallel.zero", &o.zero,
            {.meaning = "each of the ranks that hold copies of a model (dp) keeps the optimizer's "
                        "moments of a part of it only, and sums of gradients are formed during the "
                        "backward pass (ZeRO-1); false: all keep all. Results are the same",
             .source = "Rajbhandari et al. 2020",
             .launch = true});
}

void add_tensor_parts_option(OptionTable& table, std::int64_t& parts) {
  table.add(
      "exact.tensor_parts", &parts,
      {.unit = "parts",
       .meaning = "into which sums over heads, the MLP's width and the vocabulary are cut, a "
                  "power of two: f32 results on the CPU have the same bits on every number of "
                  "ranks (tp) that divides it",
       .source = "precis",
       .maximum = static_cast<double>(most_tensor_parts),
       .default_text = "8, or tp if that is more; in a run that goes on, as it was"});
}

MakeSchedule schedule_of(PipelineSchedule schedule) {
  switch (schedule) {
    case PipelineSchedule::gpipe:
      return gpipe;
    case PipelineSchedule::zero_bubble:
      return zero_bubble;
    case PipelineSchedule::one_forward_one_backward:
      break;
  }
  return one_forward_one_backward;
}

}  // namespace precis
