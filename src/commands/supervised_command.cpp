#include "commands/supervised_command.hpp"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "commands/model_input.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_session.hpp"
#include "parallel/watchdog.hpp"
#include "train/busy_cores.hpp"
#include "train/memory_report.hpp"

namespace precis {
namespace {

/// The file of the run folder that a supervised training ends with.
constexpr const char* final_model = "model.h5";

void open_run(std::optional<TrainingRun>& run, Context& context, const SupervisedOptions& o,
              const Machine& machine) {
  run.emplace(TrainingRun::Setup{.log = context.log,
                                 .options = context.options,
                                 .world = context.mpi->world(),
                                 .run = o.run,
                                 .checkpoint = o.checkpoint,
                                 .stop_after = o.train.stop_after,
                                 .command = context.command,
                                 .layout = machine.layout,
                                 .final_files = {final_model}});
}

}  // namespace

ExitStatus run_supervised(Context& context, SupervisedOptions& o,
                          const std::vector<std::string>& files, SupervisedCommand& command) {
  MpiSession& mpi = *context.mpi;
  RankGroup& world = mpi.world();
  apply(o.run.log, mpi.rank(), context.log);
  const HandedFiles handed(mpi, files);
  const Watchdog watchdog(mpi, o.run.machine.watchdog_seconds);
  GridShape shape;
  Machine machine = collectively(world, [&] {
    command.check_keys();
    shape = grid_of(o.run.machine, mpi);
    return start_machine(o.run.machine, mpi, context.log, to_string(shape));
  });
  ProcessGrid grid(world.duplicate("training"), shape, "training");
  warn_of_busy_cores(machine.threads, mpi.node_size(), context.log);
  std::optional<TrainingRun> training_run;
  if (!o.run.dry_run) {
    open_run(training_run, context, o, machine);
  }
  complete_exact_parts(o.train, training_run, o.run.run, world, shape.dp, shape.tp);
  ModelRanks ranks = model_ranks(grid, o.train.parallel.stages, o.train.tensor_parts);
  ranks.as = command.facts().kind;
  const bool goes_on = training_run && training_run->checkpoint();
  const bool begun = goes_on || (training_run && training_run->is_finished());
  const bool completes_keys = command.facts().model_completes_keys;
  if (begun && completes_keys) {
    collectively(world, [&] {
      command.take_keys(goes_on ? ModelReader(*training_run->checkpoint(), trained_part)
                                : ModelReader(training_run->file(final_model)));
    });
  }
  if (training_run && (begun || !completes_keys)) {
    training_run->check_deck();
    if (is_complete(*training_run, o.train)) {
      return ExitStatus::done;
    }
  }
  Model model = collectively(world, [&] {
    return goes_on ? load_model(machine.device, *training_run->checkpoint(), {command.facts().kind},
                                trained_part, ranks)
                   : command.start_model(handed, machine.device, ranks);
  });
  if (training_run && !begun && completes_keys) {
    training_run->check_deck();
  }
  command.read_rows(handed, model, world);
  const auto digests = collectively(world, [&] { return command.digests(handed, goes_on); });
  auto agreed = digests.inputs;
  agreed.insert(digests.others.begin(), digests.others.end());
  agree_on_start(world, agreed, goes_on);
  const TrainingPlan plan = command.plan(model);
  if (o.run.dry_run) {
    const std::string text = describe(plan, machine, mpi, grid, context.log);
    if (world.rank() == 0) {
      fmt::print("{}", text);
    }
    return ExitStatus::done;
  }

  training_run->check_inputs(digests.inputs);
  std::unique_ptr<SupervisedObjective> objective;
  std::optional<SupervisedTraining> training;
  collectively(world, [&] {
    objective = plan.make_objective(machine, model, grid.dp().group());
    training.emplace(SupervisedTraining::Setup{.machine = machine,
                                               .run = *training_run,
                                               .grid = grid,
                                               .ranks = ranks,
                                               .model = model,
                                               .objective = *objective,
                                               .options = o.train});
  });
  const auto status = training->run_to_end();
  log_peak_memory(context.log, world, machine.device.memory());
  if (status) {
    if (!training_run->resave()) {
      training_run->end_launch();
    }
    return *status;
  }
  const ModelConfig config = [&] {
    const WorkScope scope(world.work(), {.kind = WorkKind::inference, .name = "final scores"});
    return command.final_config(machine.device, grid, model, training->kept());
  }();
  const auto path = training_run->file(final_model);
  {
    const WorkScope scope(world.work(), {.kind = WorkKind::output, .name = "final model"});
    save_model(world, path, machine.device, grid, ranks, config, model.tokenizer, training->kept());
  }
  if (world.rank() == 0) {
    command.report();
  }
  training_run->end_launch();
  context.log.info("The model is in {}.", path.string());
  return ExitStatus::done;
}

}  // namespace precis
