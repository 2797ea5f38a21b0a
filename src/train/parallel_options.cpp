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
