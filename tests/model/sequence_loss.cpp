#include "model/sequence_loss.hpp"

#include "kernels/exact_sum.hpp"

namespace precis {

SequenceLoss::SequenceLoss(Device& device, const Model& model)
    : device_(device), model_(model), stage_(device, model.config, model.parameters) {
  if (model.config.kind == ModelKind::language) {
    language_.emplace(device, model.parameters);
  } else {
    scalar_.emplace(device, model.parameters, model.config.reward_shift);
  }
}

SequenceLoss::Result SequenceLoss::accumulate(std::span<const Sequence> sequences,
                                              Parameters& gradients, std::int64_t micro_batches) {
  const std::size_t unit = language_ ? 1 : 2;
  const std::size_t units = sequences.size() / unit;
  const std::int64_t count =
      language_ ? response_targets(sequences).size() : static_cast<std::int64_t>(units);
  Result result;
  for (std::int64_t m = 0; m < micro_batches; ++m) {
    const std::size_t begin = units * static_cast<std::size_t>(m) / micro_batches * unit;
    const std::size_t end = units * static_cast<std::size_t>(m + 1) / micro_batches * unit;
    const auto part = sequences.subspan(begin, end - begin);
    if (language_) {
      language(part, count, gradients, result);
    } else {
      reward(part, count, gradients, result);
    }
  }
  return result;
}

void SequenceLoss::language(std::span<const Sequence> part, std::int64_t count,
                            Parameters& gradients, Result& result) {
  const ConstView hidden = stage_.forward(model_.parameters, pack_for_responses(part), 0);
  const auto [logprob, dhidden] = language_->forward_backward(
      model_.parameters, gradients, stage_.workspace(0), hidden, response_targets(part).targets,
      1.0, [&](View dlogprob, ConstView, std::int64_t, std::int64_t) {
        device_.backend().fill(device_.queue(), dlogprob, -1.0 / static_cast<double>(count));
      });
  stage_.backward(model_.parameters, gradients, 0, dhidden);
  for (const float value : device_.to_host<float>(logprob)) {
    result.loss -= static_cast<double>(value) / static_cast<double>(count);
    result.read.push_back(value);
  }
}

void SequenceLoss::reward(std::span<const Sequence> part, std::int64_t count, Parameters& gradients,
                          Result& result) {
  const ConstView hidden = stage_.forward(model_.parameters, pack_for_rewards(part), 0);
  Workspace& workspace = stage_.workspace(0);
  const View rewards = scalar_->forward(model_.parameters, workspace, hidden);
  const View drewards = workspace.take(rewards.shape());
  Tensor sums =
      device_.zeros({static_cast<std::int64_t>(PreferenceSum::count), exact_sum_words}, DType::i64);
  const View weights = workspace.upload(std::vector<double>(part.size() / 2, 1.0));
  device_.backend().preference_loss(device_.queue(), drewards, sums.view(), rewards, weights,
                                    static_cast<double>(count));
  const View dhidden = scalar_->backward(model_.parameters, gradients, workspace, hidden, drewards);
  stage_.backward(model_.parameters, gradients, 0, dhidden);
  result.loss += exact_sums(device_.to_host<std::int64_t>(sums.view())).front().value() /
                 static_cast<double>(count);
  for (const float value : device_.to_host<float>(rewards)) {
    result.read.push_back(value);
  }
}

}  // namespace precis
