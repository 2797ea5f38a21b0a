// Reward training: the logistic loss on human comparisons, and the shift that centres the
// references.
#pragma once

#include <optional>
#include <vector>

#include "data/comparisons.hpp"
#include "model/evaluator.hpp"
#include "train/supervised.hpp"

namespace precis {

/// loss(theta) = -log sigmoid(r(x, y_chosen) - r(x, y_rejected)), a mean over pairs (Stiennon 2020,
/// section 3.4), r read at the end token; over pairs by their weights, if they have some. Accuracy
/// in training is weighted alike, validation is not.
class RewardObjective final : public SupervisedObjective {
 public:
  RewardObjective(Machine& machine, const Model& model, RankGroup& ranks,
                  const std::vector<Pair>& train, const std::vector<Pair>& valid,
                  std::int64_t micro_batch_tokens);

  [[nodiscard]] std::vector<std::int64_t> lengths() const override;
  [[nodiscard]] PackedBatch pack(const MicroBatch& rows) const override;
  [[nodiscard]] View forward_backward(const MicroBatch& rows, ConstView hidden,
                                      Workspace& workspace, Parameters& gradients) override;
  [[nodiscard]] double weight(std::span<const std::int64_t> rows) const override;
  void begin(std::span<const std::int64_t> rows, double weight) override;
  [[nodiscard]] LossSums sums() override;
  [[nodiscard]] LossSums validate() override;

 private:
  /// The step's pairs of a micro-batch.
  [[nodiscard]] std::span<const Pair* const> pairs(const MicroBatch& rows) const;

  Machine& machine_;
  const Model& model_;
  RankGroup& ranks_;
  const std::vector<Pair>& train_;
  const std::vector<Pair>& valid_;
  std::vector<const Pair*> step_;  // the step's rows
  double step_weight_ = 1;
  Tensor sums_;  // (PreferenceSum::count, exact_sum_words) i64
  ScalarHead head_;
  Evaluator evaluator_;
};

/// Rewards of both summaries of each pair, summary 0 first, on every rank; `model`'s shift
/// included.
[[nodiscard]] std::vector<std::array<float, 2>> pair_rewards(
    Device& device, const ModelConfig& config, const Parameters& parameters, RankGroup& ranks,
    std::span<const Pair> pairs, std::int64_t micro_batch_tokens);

/// The mean reward of the summaries of policy `ref`, each distinct (post, summary) once, summed in
/// f64 in the order of the pairs; nothing if there are none.
[[nodiscard]] std::optional<double> reference_mean(std::span<const Pair> pairs,
                                                   std::span<const std::array<float, 2>> rewards);

}  // namespace precis
