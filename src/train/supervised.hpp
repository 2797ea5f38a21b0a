// The loop that supervised fine-tuning and reward training share: one epoch after another over
// rows, global means, validation, the best model kept.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "data/step_rows.hpp"
#include "model/model.hpp"
#include "train/machine.hpp"
#include "train/optimizer.hpp"
#include "train/run.hpp"

namespace precis {

/// Sums over this rank's rows, which the loop adds up over the ranks.
struct LossSums {
  double loss = 0;
  double correct = 0;
  double weight = 0;        ///< what both are divided by: response tokens, or weights of pairs
  std::int64_t tokens = 0;  ///< that passed through the model
};

/// What differs between the two trainings.
struct SupervisedTask {
  std::int64_t rows = 0;
  bool has_accuracy = false;
  bool has_validation = false;
  /// What the loss of these rows is divided by, to be a mean: their response tokens, or the sum of
  /// the weights of their pairs.
  std::function<double(std::span<const std::int64_t> rows)> weight;
  /// Adds the gradient of (weighted sum of the losses of `rows`) / `weight` to `gradients`.
  std::function<LossSums(std::span<const std::int64_t> rows, double weight, Parameters& gradients)>
      accumulate;
  /// The sums over this rank's part of the validation rows.
  std::function<LossSums()> validate;
  /// Rows for samples.jsonl at a validation, on rank 0; may be empty.
  std::function<std::vector<Row>(std::int64_t step)> sample;
};

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
  /// `model` is the one to start from: of the run's checkpoint, if there is one.
  SupervisedTraining(Machine& machine, TrainingRun& run, Communicator& data_parallel, Model& model,
                     SupervisedTask task, const TrainOptions& options);

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

  Machine& machine_;
  TrainingRun& run_;
  Communicator& data_parallel_;
  Model& model_;
  SupervisedTask task_;
  TrainOptions options_;
  StepRows step_rows_;
  std::int64_t total_steps_;
  Optimizer optimizer_;
  std::optional<Parameters> best_;
  std::optional<Validation> last_validation_;  // of this launch
};

}  // namespace precis
