#include "train/supervised.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "data/step_rows.hpp"
#include "parallel/collectively.hpp"
#include "parallel/exact_sum.hpp"
#include "train/guard.hpp"
#include "train/learning_rate.hpp"

namespace precis {
namespace {

constexpr const char* best_name = "best";
constexpr const char* rows_key = "rows";

}  // namespace

void LossSums::merge(const LossSums& other) {
  loss.merge(other.loss);
  correct.merge(other.correct);
  weight += other.weight;
  tokens += other.tokens;
}

std::int64_t total_steps(const TrainOptions& options, std::int64_t rows) {
  return options.steps > 0 ? options.steps : options.epochs * steps_per_epoch(rows, options.batch);
}

bool is_complete(TrainingRun& run, const TrainOptions& options) {
  const auto& extra = run.state().extra;
  const std::int64_t steps =
      extra.contains(rows_key) ? total_steps(options, extra[rows_key]) : options.steps;
  return (run.is_finished() || extra.contains(rows_key)) && run.is_complete(steps);
}

LossSums accumulate(Pipeline& pipeline, SupervisedObjective& objective,
                    std::span<const std::int64_t> rows, double weight, Parameters& gradients,
                    const Pipeline::Complete& complete) {
  objective.begin(rows, weight);
  pipeline.accumulate(objective, gradients, complete);
  return objective.sums();
}

SupervisedTraining::SupervisedTraining(const Setup& s)
    : machine_(s.machine),
      run_(s.run),
      grid_(s.grid),
      ranks_(s.ranks),
      model_(s.model),
      objective_(s.objective),
      options_(s.options),
      pipeline_({.device = s.machine.device,
                 .model = s.model,
                 .ranks = s.grid.whole(),
                 .micro_batch_tokens = s.options.micro_batch_tokens,
                 .schedule = schedule_of(s.options.parallel.schedule),
                 .activations = s.options.parallel.activations}),
      step_rows_(s.objective.facts().rows, s.options.batch, s.run.seed()),
      total_steps_(precis::total_steps(s.options, s.objective.facts().rows)),
      parts_(data_parts(s.options.data_parts, s.grid.dp().rank(), s.grid.dp().size())),
      optimizer_(
          s.machine.device, s.model.parameters,
          {.parts = parts_.mine(), .copies = &s.grid.dp(), .zero = s.options.parallel.zero}) {
  if (options_.keep == KeepModel::best) {
    best_.emplace(machine_.device, model_.parameters.specs(), MemoryUse::parameters,
                  model_.parameters.parallel());
  }
  run_.state().extra[rows_key] = objective_.facts().rows;
}

LossSums SupervisedTraining::sum_over_ranks(const LossSums& mine) {
  const bool speaks = model_.parameters.parallel().place.speaks();
  const LossSums counted = speaks ? mine : LossSums{};
  std::array<ExactSum, 2> exact{counted.loss, counted.correct};
  all_reduce(grid_.whole(), exact);
  std::array<double, 2> sums{counted.weight, static_cast<double>(counted.tokens)};
  grid_.whole().all_reduce(sums, Reduction::sum);
  return {exact[0], exact[1], sums[0], static_cast<std::int64_t>(sums[1])};
}

void SupervisedTraining::load() {
  if (!run_.checkpoint()) {
    return;
  }
  collectively(grid_.whole(), [&] {
    const StateReader file(*run_.checkpoint());
    optimizer_.read(file, trained_part, run_.state().step);
    if (best_ && has_best()) {
      read_tensors(file, best_name, weight_path, *best_, machine_.device);
    }
  });
}

TrainingRun::Describe SupervisedTraining::describe() const {
  return [this](StateWriter* file) {
    ShardWriter parts(file, machine_.device, grid_, ranks_);
    parts.part(trained_part, model_);
    optimizer_.write(parts, trained_part, model_.config);
    if (best_ && has_best()) {
      parts.part(best_name, model_.config, model_.tokenizer, *best_);
    }
  };
}

std::optional<ExitStatus> SupervisedTraining::run_to_end() {
  if (run_.resave()) {
    load();
    run_.save_again(describe());
    return ExitStatus::done;
  }
  const ExitStatus status = train();
  return status == ExitStatus::done ? std::nullopt : std::optional(status);
}

ExitStatus SupervisedTraining::train() {
  load();
  run_.begin(total_steps_);
  while (run_.state().step < total_steps_) {
    step();
    if (run_.safe_point(describe())) {
      return ExitStatus::stopped_early;
    }
  }
  // A run whose train.steps was lowered to those of its checkpoint may not have been validated yet.
  if (best_ && !has_best()) {
    validate(total_steps_);
  }
  return ExitStatus::done;
}

void SupervisedTraining::step() {
  const std::int64_t step = run_.state().step;  // from 0
  const auto rows = step_rows_.of(step);
  const double rate = learning_rate(options_, options_.learning_rate, step, total_steps_);

  // Every rank adds up the weights of all rows: in one order on every layout.
  const double weight = objective_.weight(rows);
  LossSums sums;
  {
    const auto timed = run_.phases().phase("gradient");
    optimizer_.form_gradients(
        [&](std::int64_t part, Parameters& gradients, const Pipeline::Complete& complete) {
          const auto [begin, end] = parts_.rows_of(part, std::ssize(rows));
          const auto mine = std::span(rows).subspan(static_cast<std::size_t>(begin),
                                                    static_cast<std::size_t>(end - begin));
          sums.merge(accumulate(pipeline_, objective_, mine, weight, gradients, complete));
        });
  }
  double norm = 0;
  {
    const auto timed = run_.phases().phase("update");
    sums = sum_over_ranks(sums);
    const WorkScope scope(grid_.whole().work(),
                          {.kind = WorkKind::optimizer, .name = "gradient norm"});
    norm = optimizer_.reduce(options_.clip_norm);
  }
  const double loss = sums.loss.value() / weight;
  run_.guard(
      [&] {
        guard_loss(step + 1, "the loss", loss, run_.state().extra);
        guard_finite(step + 1, "the gradient's norm", norm);
      },
      describe());
  {
    const auto timed = run_.phases().phase("update");
    const WorkScope scope(grid_.whole().work(), {.kind = WorkKind::optimizer});
    optimizer_.apply(model_.parameters, options_, rate);
  }

  Row metrics{{"loss", loss}, {"learning_rate", rate}, {"gradient_norm", norm}};
  if (objective_.facts().has_accuracy) {
    metrics["accuracy"] = sums.correct.value() / weight;
  }
  if (validation_due()) {
    const auto timed = run_.phases().phase("validation");
    if (objective_.facts().has_validation) {
      const Validation validation = validate(step + 1);
      metrics["valid_loss"] = validation.loss;
      if (objective_.facts().has_accuracy) {
        metrics["valid_accuracy"] = validation.accuracy;
      }
    }
    if (objective_.facts().has_samples) {
      std::vector<Row> samples;
      {
        const WorkScope scope(grid_.whole().work(),
                              {.kind = WorkKind::generation, .name = "samples"});
        samples = objective_.sample(step + 1);
      }
      run_.add_samples(samples);
    }
  }
  run_.record(sums.tokens, metrics, {.values = progress_values(loss, metrics)});
}

std::vector<ProgressNumbers::Value> SupervisedTraining::progress_values(double loss,
                                                                        const Row& metrics) const {
  std::vector<ProgressNumbers::Value> values{{.name = "loss", .value = loss}};
  if (objective_.facts().has_accuracy) {
    values.push_back({.name = "accuracy", .value = metrics["accuracy"], .decimals = 3});
  }
  if (last_validation_) {
    values.push_back({.name = "valid_loss", .value = last_validation_->loss});
    if (objective_.facts().has_accuracy) {
      values.push_back(
          {.name = "valid_accuracy", .value = last_validation_->accuracy, .decimals = 3});
    }
  }
  return values;
}

bool SupervisedTraining::validation_due() const {
  const std::int64_t done = run_.state().step + 1;
  return done == total_steps_ || (options_.valid_every > 0 && done % options_.valid_every == 0);
}

SupervisedTraining::Validation SupervisedTraining::validate(std::int64_t step) {
  LossSums mine;
  {
    const WorkScope scope(grid_.whole().work(),
                          {.kind = WorkKind::inference, .name = "validation"});
    mine = objective_.validate();
  }
  const LossSums sums = sum_over_ranks(mine);
  const double weight = std::max(1.0, sums.weight);
  const Validation now{sums.loss.value() / weight, sums.correct.value() / weight};
  // The parameters that gave this loss are not worth a checkpoint.
  const bool intact = false;
  run_.guard([&] { guard_finite(step, "the validation loss", now.loss); }, describe(), intact);
  if (best_) {
    keep_if_best(step, now);
  }
  last_validation_ = now;
  return now;
}

void SupervisedTraining::keep_if_best(std::int64_t step, const Validation& now) {
  auto& extra = run_.state().extra;
  bool better = !has_best();
  if (!better) {
    const double best_accuracy = extra["best_accuracy"];
    const double best_loss = extra["best_loss"];
    // Without accuracies both are equal, and the loss decides; ties go to the earlier model.
    better =
        now.accuracy > best_accuracy || (now.accuracy == best_accuracy && now.loss < best_loss);
  }
  if (better) {
    extra["best_step"] = step;
    extra["best_accuracy"] = now.accuracy;
    extra["best_loss"] = now.loss;
    machine_.device.backend().copy(machine_.device.queue(), best_->flat(),
                                   model_.parameters.flat());
    best_->changed();
  }
}

const Parameters& SupervisedTraining::kept() const {
  require(!best_ || has_best(), "No validation has chosen a best model yet.");
  return best_ ? *best_ : model_.parameters;
}

}  // namespace precis
