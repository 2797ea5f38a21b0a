// Supervised fine-tuning: next-token loss on the summaries that people wrote.
#pragma once

#include <optional>
#include <vector>

#include "data/tldr.hpp"
#include "model/evaluator.hpp"

#include "train/shown_samples.hpp"
#include "train/supervised.hpp"

namespace precis {

/// Which tokens the loss is on: the response (Stiennon 2020), or query and response.
enum class SftLoss { response, all };

/// The mean negative log-prob of the tokens that follow what is given.
class SftObjective final : public SupervisedObjective {
 public:
  /// `ranks` share each step's rows; the progress record is ticked between micro-batches. The
  /// examples must outlive the objective.
  SftObjective(Machine& machine, const Model& model, RankGroup& ranks,
               std::span<const Example> train, std::span<const Example> valid, SftLoss loss,
               std::int64_t micro_batch_tokens);

  [[nodiscard]] std::vector<std::int64_t> lengths() const override;
  [[nodiscard]] PackedBatch pack(const MicroBatch& rows) const override;
  [[nodiscard]] View forward_backward(const MicroBatch& rows, ConstView hidden,
                                      Workspace& workspace, Parameters& gradients) override;
  [[nodiscard]] double weight(std::span<const std::int64_t> rows) const override;
  void begin(std::span<const std::int64_t> rows, double weight) override;
  [[nodiscard]] LossSums sums() override;
  [[nodiscard]] LossSums validate() override;
  [[nodiscard]] std::vector<Row> sample(std::int64_t step) override;

 private:
  /// What is given of an example, and the tokens that the loss is on.
  [[nodiscard]] Sequence sequence(const Example& example) const;
  /// The step's sequences of a micro-batch.
  [[nodiscard]] std::span<const Sequence> sequences(const MicroBatch& rows) const;

  Machine& machine_;
  const Model& model_;
  RankGroup& ranks_;
  std::span<const Example> train_, valid_;
  SftLoss loss_;
  std::vector<Sequence> step_;  // the step's rows
  double step_weight_ = 1;
  Tensor sum_;  // (exact_sum_words) i64: of the step's log-probs
  LanguageHead head_;
  Evaluator evaluator_;
  std::optional<ShownSamples> shown_;  // by the first copy of the model
};

}  // namespace precis
