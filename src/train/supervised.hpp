// The loop that supervised fine-tuning and reward training share: one epoch after another over
// rows, global means, validation, the best model kept.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "data/step_rows.hpp"
#include "kernels/exact_sum.hpp"
#include "model/model.hpp"
#include "train/data_parts.hpp"
#include "train/machine.hpp"
#include "train/objective.hpp"
#include "train/optimizer.hpp"
#include "train/pipeline.hpp"
#include "train/run.hpp"

namespace precis {

/// Sums over this rank's rows, which the loop adds up over the ranks.
struct LossSums {
  ExactSum loss;
  ExactSum correct;
  double weight = 0;        ///< what both are divided by: response tokens, or weights of pairs
  std::int64_t tokens = 0;  ///< that passed through the model

  void merge(const LossSums& other);
};

/// What differs between the two trainings: the loss of numbered rows, and how the model in training
/// is judged on rows held out.
class SupervisedObjective : public Objective {
 public:
  /// What the loop has to know of it.
  struct Facts {
    std::int64_t rows = 0;  ///< for training
    bool has_accuracy = false;
    bool has_validation = false;
    bool has_samples = false;
  };
  explicit SupervisedObjective(Facts facts) : facts_(facts) {}
  [[nodiscard]] const Facts& facts() const noexcept { return facts_; }

  /// What the loss of these rows is divided by, to be a mean: their response tokens, or the sum of
  /// the weights of their pairs.
  [[nodiscard]] virtual double weight(std::span<const std::int64_t> rows) const = 0;
  /// The next step's loss is (weighted sum of the losses of `rows`) / `weight`.
  virtual void begin(std::span<const std::int64_t> rows, double weight) = 0;
  /// The sums over the rows of the step, once all have been through the pipeline.
  [[nodiscard]] virtual LossSums sums() = 0;
  /// The sums over this rank's part of the validation rows.
  [[nodiscard]] virtual LossSums validate() = 0;
  /// Rows for samples.jsonl at a validation, by the ranks of the model's first copy.
  [[nodiscard]] virtual std::vector<Row> sample(std::int64_t /*step*/) { return {}; }

 private:
  Facts facts_;
};

/// Adds the gradient of (weighted sum of the losses of `rows`) / `weight` to `gradients`.
LossSums accumulate(Pipeline& pipeline, SupervisedObjective& objective,
                    std::span<const std::int64_t> rows, double weight, Parameters& gradients,
                    const Pipeline::Complete& complete = {});

/// The part of a checkpoint that holds the model in training.
inline constexpr const char* trained_part = "model";

/// Steps of a whole training on `rows` rows: train.steps, or those of train.epochs.
[[nodiscard]] std::int64_t total_steps(const TrainOptions& options, std::int64_t rows);

/// Whether the run's checkpoint is of its last step and its final files are there, as far as that
/// is known before the rows are read.
[[nodiscard]] bool is_complete(TrainingRun& run, const TrainOptions& options);

/// The model at its last step, and the one that validation liked best (train.keep = best).
class SupervisedTraining {
 public:
  struct Setup {
    Machine& machine;
    TrainingRun& run;
    ProcessGrid& grid;
    const ModelRanks& ranks;  ///< of the grid
    Model& model;             ///< to start from: of the run's checkpoint, if there is one
    SupervisedObjective& objective;
    const TrainOptions& options;
  };
  explicit SupervisedTraining(const Setup& setup);

  /// What the run asks for: resaves a checkpoint, or trains. Returns the command's exit status;
  /// nothing if the training is at its end and its final model is to be written.
  [[nodiscard]] std::optional<ExitStatus> run_to_end();
  /// After run_to_end: the parameters that the run keeps, the last or the best.
  [[nodiscard]] const Parameters& kept() const;

 private:
  struct Validation {
    double loss = 0;
    double accuracy = 0;
  };

  void load();
  [[nodiscard]] ExitStatus train();
  void step();
  /// The validation after `step` steps, which may make the present parameters the best. Throws
  /// Error on all ranks if the loss is not finite.
  Validation validate(std::int64_t step);
  void keep_if_best(std::int64_t step, const Validation& now);
  [[nodiscard]] bool has_best() const { return run_.state().extra.contains("best_step"); }
  [[nodiscard]] bool validation_due() const;
  /// What the progress line says: the last validation's numbers stay beside the step's.
  [[nodiscard]] std::vector<ProgressNumbers::Value> progress_values(double loss,
                                                                    const Row& metrics) const;
  [[nodiscard]] TrainingRun::Describe describe() const;

  /// Over all ranks: what `mine` are on the one rank that speaks for each copy of the model.
  [[nodiscard]] LossSums sum_over_ranks(const LossSums& mine);

  Machine& machine_;
  TrainingRun& run_;
  ProcessGrid& grid_;
  const ModelRanks& ranks_;
  Model& model_;
  SupervisedObjective& objective_;
  TrainOptions options_;
  Pipeline pipeline_;
  StepRows step_rows_;
  std::int64_t total_steps_;
  DataParts parts_;
  Optimizer optimizer_;
  std::optional<Parameters> best_;
  std::optional<Validation> last_validation_;  // of this launch
};

}  // namespace precis
