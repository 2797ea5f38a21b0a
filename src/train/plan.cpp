#include "train/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "data/packing.hpp"
#include "data/step_rows.hpp"
#include "device/counting_device.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/planned_ranks.hpp"
#include "train/memory_report.hpp"
#include "train/work_cost.hpp"

namespace precis {
namespace {

using RowList = std::vector<std::int64_t>;

std::int64_t sum_of(std::span<const std::int64_t> lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

/// The micro-batches of one rank's parts of a step, as rows.
std::vector<RowList> micro_batches_of(const TrainingPlan& plan, const RowList& step,
                                      const DataParts& parts) {
  std::vector<RowList> result;
  for (std::int64_t part = 0; part < parts.mine(); ++part) {
    const auto [begin, end] = parts.rows_of(part, std::ssize(step));
    const RowList rows(step.begin() + begin, step.begin() + end);
    RowList lengths;
    for (const std::int64_t row : rows) {
      lengths.push_back(plan.lengths[static_cast<std::size_t>(row)]);
    }
    for (const MicroBatch& micro : split_micro_batches(lengths, plan.train.micro_batch_tokens)) {
      result.emplace_back(rows.begin() + micro.begin, rows.begin() + micro.end);
    }
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

/// The rank's micro-batches, in their order, that do not fit into one before them: only with these
/// do workspaces grow.
std::vector<RowList> growing_micro_batches(const TrainingPlan& plan,
                                           const SupervisedObjective& objective,
                                           const DataParts& parts) {
  // Later ones are seldom larger, and a run may have millions of them.
  constexpr std::int64_t most_steps = 10'000;
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  StepRows step_rows(rows, plan.train.batch, plan.seed);
  const std::int64_t steps = std::min(total_steps(plan.train, rows), most_steps);
  std::vector<RowList> growing;
  std::vector<MicroBatchSize> largest;  // none fits into another
  for (std::int64_t step = 0; step < steps; ++step) {
    for (RowList& micro : micro_batches_of(plan, step_rows.of(step), parts)) {
      const MicroBatchSize size{.tokens = tokens_of(plan, micro),
                                .rows = micro.size(),
                                .weight = objective.weight(micro)};
      if (std::ranges::none_of(largest, [&](const auto& other) { return size.fits_into(other); })) {
        std::erase_if(largest, [&](const auto& other) { return other.fits_into(size); });
        largest.push_back(size);
        growing.push_back(std::move(micro));
      }
    }
  }
  return growing;
}

/// Collective: the seconds of the slowest rank, measured on a micro-batch of one row and on one
/// that takes some seconds, each with an update.
double seconds_of_step(const TrainingPlan& plan, Machine& machine, RankGroup& world) {
  Model& model = plan.model;
  const auto objective = plan.make_objective(machine, model, world);
  Pipeline pipeline({.device = machine.device,
                     .model = model,
                     .ranks = world,
                     .micro_batch_tokens = plan.train.micro_batch_tokens});
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  const RowList step = StepRows(rows, plan.train.batch, plan.seed).of(0);
  // The largest micro-batch of the whole step, for a rank may have no rows in a small one.
  const std::int64_t parts = data_parts(plan.train.data_parts, 0, world.size()).parts;
  const DataParts whole{.parts = parts, .first = 0, .last = parts};
  RowList measured;
  for (const RowList& micro : micro_batches_of(plan, step, whole)) {
    if (tokens_of(plan, micro) > tokens_of(plan, measured)) {
      measured = micro;
    }
  }
  Optimizer optimizer(machine.device, model.parameters);
  MpiCommunicator data_parallel(world);
  const auto first = [&](std::int64_t count) {
    return RowList(measured.begin(), measured.begin() + count);
  };
  const WorkCost cost = measure_cost(
      world, machine.device,
      {.run =
           [&](std::int64_t count) {
             const RowList part = first(count);
             optimizer.form_gradients([&](std::int64_t, Parameters& gradients) {
               (void)accumulate(pipeline, *objective, part, objective->weight(part), gradients);
             });
             (void)optimizer.reduce(data_parallel, plan.train.clip_norm);
             optimizer.apply(model.parameters, plan.train, 0.0);
           },
       .tokens = [&](std::int64_t count) { return tokens_of(plan, first(count)); },
       .most = std::ssize(measured)});
  const double mean = static_cast<double>(sum_of(plan.lengths)) / static_cast<double>(rows);
  const auto mine =
      data_parts(plan.train.data_parts, 0, world.size()).my_rows(std::min(plan.train.batch, rows));
  return all_max(world, cost.of(mean * static_cast<double>(mine.second - mine.first)));
}

std::string describe_work(const TrainingPlan& plan, const Machine& machine, int ranks) {
  const ModelConfig& c = plan.model.config;
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  const auto steps = total_steps(plan.train, rows);
  const RowList step = StepRows(rows, plan.train.batch, plan.seed).of(0);
  const DataParts parts = data_parts(plan.train.data_parts, 0, ranks);
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
  text +=
      fmt::format("first step  {} tokens in {} on rank 0, the largest of {}\n",
                  with_thousands(tokens_of(plan, {step.begin() + begin, step.begin() + end})),
                  counted(std::ssize(micro_batches), "micro-batch", "es"), with_thousands(largest));
  return text;
}

}  // namespace

MemoryCount planned_memory(const TrainingPlan& plan, const Device& like, int rank, int ranks) {
  Machine machine{.device = counting_device(like), .threads = 1, .layout = "a plan"};
  PlannedRanks group(rank, ranks);
  ModelConfig config = plan.model.config;
  config.end_tokens = {};  // Samples are as long as they may be.
  Model model{.config = config,
              .tokenizer = plan.model.tokenizer,
              .parameters = Parameters(machine.device, parameter_specs(config))};
  const auto objective = plan.make_objective(machine, model, group.group());
  Pipeline pipeline({.device = machine.device,
                     .model = model,
                     .ranks = group.group(),
                     .micro_batch_tokens = plan.train.micro_batch_tokens});
  const DataParts parts = data_parts(plan.train.data_parts, rank, ranks);
  Optimizer optimizer(machine.device, model.parameters, parts.mine());
  std::optional<Parameters> best;
  if (plan.train.keep == KeepModel::best) {
    best.emplace(machine.device, model.parameters.specs());
  }
  for (const RowList& micro : growing_micro_batches(plan, *objective, parts)) {
    (void)accumulate(pipeline, *objective, micro, 1.0, optimizer.gradients());
  }
  (void)optimizer.reduce(group, plan.train.clip_norm);
  if (objective->facts().has_validation) {
    (void)objective->validate();
  }
  if (objective->facts().has_samples) {
    (void)objective->sample(1);
  }
  return machine.device.memory().peak();
}

std::string describe(const TrainingPlan& plan, Machine& machine, MpiSession& mpi, Log& log) {
  const MemoryCount mine = collectively(
      mpi.world(), [&] { return planned_memory(plan, machine.device, mpi.rank(), mpi.size()); });
  const MemoryReport memory =
      report_memory(mpi, machine.device.memory(), {.role = "training", .peak = mine});
  std::string text = describe_work(plan, machine, mpi.size()) + memory.text;
  if (!memory.shortage.empty()) {
    log.warning("{}", memory.shortage);
    return text + "time        not measured, since the memory would not suffice\n";
  }
  const double step = seconds_of_step(plan, machine, mpi.world());
  const auto steps = total_steps(plan.train, std::ssize(plan.lengths));
  return text + fmt::format(
                    "time        about {} a step, {} in all, by two micro-batches measured here;\n"
                    "            validation, samples and checkpoints come on top\n",
                    seconds_text(step), duration_text(step * static_cast<double>(steps)));
}

}  // namespace precis
