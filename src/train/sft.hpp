// Supervised fine-tuning: next-token loss on the summaries people wrote.
#pragma once

#include <vector>

#include "data/tldr.hpp"
#include "model/evaluator.hpp"

#include "train/shown_samples.hpp"
#include "train/supervised.hpp"

namespace precis {

/// Which tokens the loss is on: the response (Stiennon 2020), or query and response.
enum class SftLoss { response, all };

class SftObjective {
 public:
  /// `ranks` share each step's rows; the progress record is ticked between micro-batches.
  SftObjective(Machine& machine, const Model& model, RankGroup& ranks,
               const std::vector<Example>& train, const std::vector<Example>& valid, SftLoss loss,
               std::int64_t micro_batch_tokens);

  /// Valid as long as this object.
  [[nodiscard]] SupervisedTask task();

 private:
  /// Query and response end to end, and how many of the tokens are given, not predicted.
  struct Text {
    std::vector<std::int32_t> tokens;
    std::size_t given = 0;
    [[nodiscard]] Sequence sequence() const;
  };

  [[nodiscard]] std::vector<Text> rows_of(const std::vector<Example>& examples) const;
  [[nodiscard]] LossSums accumulate(std::span<const std::int64_t> rows, double weight,
                                    Parameters& gradients);
  [[nodiscard]] LossSums validate();
  [[nodiscard]] std::vector<Row> sample(std::int64_t step);

  Machine& machine_;
  const Model& model_;
  RankGroup& ranks_;
  SftLoss loss_;
  std::int64_t micro_batch_tokens_;
  std::vector<Text> train_, valid_;
  Tensor sum_;  // (1) f64: of the step's log-probs
  Stage stage_;
  LanguageHead head_;
  Evaluator evaluator_;
  ShownSamples shown_;
};

}  // namespace precis
