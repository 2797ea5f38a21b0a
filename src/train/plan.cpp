#include "train/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "data/packing.hpp"
#include "data/step_rows.hpp"
#include "device/counting_device.hpp"
#include "model/planned_grid.hpp"
#include "parallel/collectively.hpp"
#include "train/memory_report.hpp"
#include "train/work_cost.hpp"

namespace precis {
namespace {

using RowList = std::vector<std::int64_t>;

std::int64_t sum_of(std::span<const std::int64_t> lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

/// The rows of one rank's parts of a step.
std::vector<RowList> parts_of(const RowList& step, const DataParts& parts) {
  std::vector<RowList> result;
  for (std::int64_t part = 0; part < parts.mine(); ++part) {
    const auto [begin, end] = parts.rows_of(part, std::ssize(step));
    result.emplace_back(step.begin() + begin, step.begin() + end);
  }
  return result;
}

/// The micro-batches of a part, as rows.
std::vector<RowList> micro_batches_of(const TrainingPlan& plan, const RowList& part) {
  RowList lengths;
  for (const std::int64_t row : part) {
    lengths.push_back(plan.lengths[static_cast<std::size_t>(row)]);
  }
  std::vector<RowList> result;
  for (const MicroBatch& micro : split_micro_batches(lengths, plan.train.micro_batch_tokens)) {
    result.emplace_back(part.begin() + micro.begin, part.begin() + micro.end);
  }
  return result;
}

/// Those of all parts of a step.
std::vector<RowList> micro_batches_of(const TrainingPlan& plan, const RowList& step,
                                      const DataParts& parts) {
  std::vector<RowList> result;
  for (const RowList& part : parts_of(step, parts)) {
    std::ranges::move(micro_batches_of(plan, part), std::back_inserter(result));
  }
  return result;
}

std::int64_t tokens_of(const TrainingPlan& plan, const RowList& rows) {
  std::int64_t tokens = 0;
  for (const std::int64_t row : rows) {
    tokens += plan.lengths[static_cast<std::size_t>(row)];
  }
  return tokens;
}

/// What the memory of a micro-batch grows with.
struct MicroBatchSize {
  std::int64_t tokens = 0;
  std::size_t rows = 0;
  double weight = 0;  ///< rows at which the output is read, or proportional to rows

  [[nodiscard]] bool fits_into(const MicroBatchSize& other) const {
    return tokens <= other.tokens && rows <= other.rows && weight <= other.weight;
  }
};

/// The sizes that a slot's workspace has grown to: none fits into another.
class SlotSizes {
 public:
  /// Whether a micro-batch of this size makes it grow.
  bool add(const MicroBatchSize& size) {
    if (std::ranges::any_of(largest_, [&](const auto& other) { return size.fits_into(other); })) {
      return false;
    }
    std::erase_if(largest_, [&](const auto& other) { return other.fits_into(size); });
    largest_.push_back(size);
    return true;
  }

 private:
  std::vector<MicroBatchSize> largest_;
};

/// The rank's parts of steps, in their order, with a micro-batch that does not fit into one before
/// it in its slot: with these workspaces grow (with sequence parallelism others may add a few
/// rows).
std::vector<RowList> growing_parts(const TrainingPlan& plan, const SupervisedObjective& objective,
                                   const DataParts& parts, StagePlace place) {
  // Later ones are seldom larger, and a run may have millions of them.
  constexpr std::int64_t most_steps = 10'000;
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  const MakeSchedule schedule = schedule_of(plan.train.parallel.schedule);
  StepRows step_rows(rows, plan.train.batch, plan.seed);
  const std::int64_t steps = std::min(total_steps(plan.train, rows), most_steps);
  std::vector<RowList> growing;
  std::map<int, SlotSizes> in_slots;
  std::map<int, SlotSizes> deferred;
  for (std::int64_t step = 0; step < steps; ++step) {
    for (RowList& part : parts_of(step_rows.of(step), parts)) {
      const auto micro_batches = micro_batches_of(plan, part);
      const auto actions = schedule(place, std::ssize(micro_batches));
      const auto slots = assign_slots(actions);
      const auto later = assign_deferred(actions);
      bool grows = false;
      for (std::size_t m = 0; m < micro_batches.size(); ++m) {
        const MicroBatchSize size{.tokens = tokens_of(plan, micro_batches[m]),
                                  .rows = micro_batches[m].size(),
                                  .weight = objective.weight(micro_batches[m])};
        grows |= in_slots[slots[m]].add(size);
        grows |= later[m] >= 0 && deferred[later[m]].add(size);
      }
      if (grows) {
        growing.push_back(std::move(part));
      }
    }
  }
  return growing;
}

/// The time of so many micro-batches in a pipeline over that of one stage after another: in each
/// part, (micro-batches + stages - 1) stages' work.
double share_of_pipeline(std::int64_t micro_batches, std::int64_t parts, int stages) {
  const double of_a_part =
      std::max(1.0, static_cast<double>(micro_batches) / static_cast<double>(parts));
  return (of_a_part + stages - 1) / (of_a_part * stages);
}

/// Collective: the seconds of the slowest rank, measured on a micro-batch of one row and on one
/// that takes some seconds, each with an update.
double seconds_of_step(const TrainingPlan& plan, Machine& machine, ProcessGrid& grid) {
  Model& model = plan.model;
  RankGroup& world = grid.whole();
  const auto objective = plan.make_objective(machine, model, grid.dp().group());
  Pipeline pipeline({.device = machine.device,
                     .model = model,
                     .ranks = world,
                     .micro_batch_tokens = plan.train.micro_batch_tokens,
                     .schedule = schedule_of(plan.train.parallel.schedule),
                     .activations = plan.train.parallel.activations});
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  const RowList step = StepRows(rows, plan.train.batch, plan.seed).of(0);
  // The largest micro-batch of the whole step, for a rank may have no rows in a small one.
  const std::int64_t parts = data_parts(plan.train.data_parts, 0, grid.shape().dp).parts;
  const DataParts whole{.parts = parts, .first = 0, .last = parts};
  RowList measured;
  for (const RowList& micro : micro_batches_of(plan, step, whole)) {
    if (tokens_of(plan, micro) > tokens_of(plan, measured)) {
      measured = micro;
    }
  }
  Optimizer optimizer(machine.device, model.parameters,
                      {.copies = &grid.dp(), .zero = plan.train.parallel.zero});
  const auto first = [&](std::int64_t count) {
    return RowList(measured.begin(), measured.begin() + count);
  };
  const WorkCost cost =
      measure_cost(world, machine.device,
                   {.run =
                        [&](std::int64_t count) {
                          const RowList part = first(count);
                          optimizer.form_gradients([&](std::int64_t, Parameters& gradients,
                                                       const Pipeline::Complete& complete) {
                            (void)accumulate(pipeline, *objective, part, objective->weight(part),
                                             gradients, complete);
                          });
                          (void)optimizer.reduce(plan.train.clip_norm);
                          optimizer.apply(model.parameters, plan.train, 0.0);
                        },
                    .tokens = [&](std::int64_t count) { return tokens_of(plan, first(count)); },
                    .most = std::ssize(measured)});
  const double mean = static_cast<double>(sum_of(plan.lengths)) / static_cast<double>(rows);
  const DataParts mine = data_parts(plan.train.data_parts, 0, grid.shape().dp);
  const auto [begin, end] = mine.my_rows(std::min(plan.train.batch, rows));
  const double alone = cost.of(mean * static_cast<double>(end - begin));
  return all_max(world, alone * share_of_pipeline(std::ssize(micro_batches_of(plan, step, mine)),
                                                  mine.mine(), grid.shape().pp));
}

/// "blocks 0-3, 4-7".
std::string stages_text(const TrainingPlan& plan, const GridShape& grid) {
  ModelRanks ranks;
  ranks.stages = grid.pp;
  ranks.cut = plan.train.parallel.stages;
  std::string text = "blocks ";
  for (int stage = 0; stage < grid.pp; ++stage) {
    const LayerRange layers = ranks.place_of(plan.model.config, stage, 0).layers;
    text += fmt::format("{}{}-{}", stage == 0 ? "" : ", ", layers.first, layers.last - 1);
  }
  return text;
}

std::string describe_work(const TrainingPlan& plan, const Machine& machine, const GridShape& grid) {
  const ModelConfig& c = plan.model.config;
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  const auto steps = total_steps(plan.train, rows);
  const RowList step = StepRows(rows, plan.train.batch, plan.seed).of(0);
  const DataParts parts = data_parts(plan.train.data_parts, 0, grid.dp);
  const auto micro_batches = micro_batches_of(plan, step, parts);
  const auto [begin, end] = parts.my_rows(std::ssize(step));
  std::int64_t largest = 0;
  for (const RowList& micro : micro_batches) {
    largest = std::max(largest, tokens_of(plan, micro));
  }
  std::string text = fmt::format("layout      {}\n", machine.layout);
  text += fmt::format("model       {}, {} layers of width {}, {} parameters, context {} tokens\n",
                      to_string(c.kind), c.layers, c.width, with_thousands(parameter_count(c)),
                      c.context);
  text += fmt::format("rows        {} for training with {} tokens, {} for validation\n",
                      with_thousands(rows), with_thousands(sum_of(plan.lengths)),
                      with_thousands(plan.validation_rows));
  text += fmt::format(
      "steps       {} of {} rows each, {:.2f} epochs\n", with_thousands(steps),
      std::min(plan.train.batch, rows),
      static_cast<double>(steps) / static_cast<double>(steps_per_epoch(rows, plan.train.batch)));
  text += fmt::format("parts       {} of each step's rows, {} on a rank (exact.data_parts)\n",
                      parts.parts, parts.mine());
  if (grid.pp > 1) {
    text += fmt::format("stages      {}\n", stages_text(plan, grid));
  }
  text +=
      fmt::format("first step  {} tokens in {} on rank 0, the largest of {}\n",
                  with_thousands(tokens_of(plan, {step.begin() + begin, step.begin() + end})),
                  counted(std::ssize(micro_batches), "micro-batch", "es"), with_thousands(largest));
  return text;
}

}  // namespace

MemoryCount planned_memory(const TrainingPlan& plan, const Device& like, int rank,
                           const GridShape& grid) {
  Machine machine{.device = counting_device(like), .threads = 1, .layout = "a plan"};
  PlannedGrid planned(rank, grid, plan.train.parallel.stages, plan.train.tensor_parts);
  const GridCoordinates& at = planned.at;
  ModelConfig config = plan.model.config;
  config.end_tokens = {};  // Samples are as long as they may be.
  Model model = allocate_model(machine.device, {config, plan.model.tokenizer}, planned.models);
  const auto objective = plan.make_objective(machine, model, planned.copies.group());
  Pipeline pipeline({.device = machine.device,
                     .model = model,
                     .ranks = planned.copies.group(),
                     .micro_batch_tokens = plan.train.micro_batch_tokens,
                     .schedule = schedule_of(plan.train.parallel.schedule),
                     .activations = plan.train.parallel.activations});
  const DataParts parts = data_parts(plan.train.data_parts, at.dp, grid.dp);
  Optimizer optimizer(
      machine.device, model.parameters,
      {.parts = parts.mine(), .copies = &planned.copies, .zero = plan.train.parallel.zero});
  std::optional<Parameters> best;
  if (plan.train.keep == KeepModel::best) {
    best.emplace(machine.device, model.parameters.specs(), MemoryUse::parameters,
                 model.parameters.parallel());
  }
  for (const RowList& part :
       growing_parts(plan, *objective, parts, {.stage = at.pp, .stages = grid.pp})) {
    (void)accumulate(pipeline, *objective, part, 1.0, optimizer.gradients());
  }
  (void)optimizer.reduce(plan.train.clip_norm);
  if (objective->facts().has_validation) {
    (void)objective->validate();
  }
  if (objective->facts().has_samples) {
    (void)objective->sample(1);
  }
  return machine.device.memory().peak();
}

std::string describe(const TrainingPlan& plan, Machine& machine, MpiSession& mpi, ProcessGrid& grid,
                     Log& log) {
  const MemoryCount mine = collectively(
      mpi.world(), [&] { return planned_memory(plan, machine.device, mpi.rank(), grid.shape()); });
  const MemoryReport memory =
      report_memory(mpi, machine.device.memory(), {.role = "training", .peak = mine});
  std::string text = describe_work(plan, machine, grid.shape()) + memory.text;
  if (!memory.shortage.empty()) {
    log.warning("{}", memory.shortage);
    return text + "time        not measured, since the memory would not suffice\n";
  }
  const double step = seconds_of_step(plan, machine, grid);
  const auto steps = total_steps(plan.train, std::ssize(plan.lengths));
  return text + fmt::format(
                    "time        about {} a step, {} in all, by two micro-batches measured here;\n"
                    "            validation, samples and checkpoints come on top\n",
                    seconds_text(step), duration_text(step * static_cast<double>(steps)));
}

}  // namespace precis
