// The losses of the training stages on plain sequences: what the model's tests differentiate.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/evaluator.hpp"

namespace precis {

/// A language model's mean negative log-prob of the response tokens, or a reward model's pair loss
/// (sequences 2b and 2b + 1: chosen and rejected), with gradients.
class SequenceLoss {
 public:
  SequenceLoss(Device& device, const Model& model);

  struct Result {
    double loss = 0;
    std::vector<float> read;  ///< log-probs of the response tokens, or rewards
  };
  /// The loss; adds its gradient. `micro_batches` split the sequences, in pairs for rewards.
  Result accumulate(std::span<const Sequence> sequences, Parameters& gradients,
                    std::int64_t micro_batches = 1);

 private:
  void language(std::span<const Sequence> part, std::int64_t count, Parameters& gradients,
                Result& result);
  void reward(std::span<const Sequence> part, std::int64_t count, Parameters& gradients,
              Result& result);

  Device& device_;
  const Model& model_;
  Stage stage_;
  std::optional<LanguageHead> language_;
  std::optional<ScalarHead> scalar_;
};

}  // namespace precis
