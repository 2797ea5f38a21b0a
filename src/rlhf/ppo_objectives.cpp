#include "rlhf/ppo_objectives.hpp"

#include <utility>

namespace precis {

void PpoObjective::begin(Members mine, std::int64_t tokens) {
  members_ = std::move(mine);
  tokens_ = static_cast<double>(tokens);
  sequences_.clear();
  for (const Experience* member : members_) {
    sequences_.push_back(member->episode.sequence());
  }
  device_->backend().fill(device_->queue(), sums_.view(), 0.0);
}

std::vector<std::int64_t> PpoObjective::lengths() const { return lengths_of(sequences_); }

std::span<const Sequence> PpoObjective::sequences(const MicroBatch& rows) const {
  return rows.of(std::span<const Sequence>(sequences_));
}

PackedBatch PpoObjective::pack(const MicroBatch& rows) const {
  return pack_for_responses(sequences(rows));
}

View PpoObjective::upload(Workspace& workspace, const MicroBatch& rows,
                          std::vector<float> Experience::*field) const {
  std::vector<float> all;
  for (const Experience* member : rows.of(std::span<const Experience* const>(members_))) {
    const std::vector<float>& part = member->*field;
    all.insert(all.end(), part.begin(), part.end());
  }
  return workspace.upload(all);
}

void PolicyObjective::begin(Members mine, std::int64_t tokens) {
  PpoObjective::begin(std::move(mine), tokens);
  device_->backend().fill(device_->queue(), ratio_max_.view(), 0.0);
}

View PolicyObjective::forward_backward(const MicroBatch& rows, ConstView hidden,
                                       Workspace& workspace, Parameters& gradients) {
  const View old = upload(workspace, rows, &Experience::logprobs);
  const bool corrected = options_.correction != Correction::none;
  const View advantages = upload(
      workspace, rows, corrected ? &Experience::corrected_advantages : &Experience::advantages);
  const auto loss = [&](View dlogprob, ConstView logprob, std::int64_t begin, std::int64_t end) {
    device_->backend().ppo_policy_loss(device_->queue(), dlogprob, sums_.view(), ratio_max_.view(),
                                       logprob, old.rows(begin, end), advantages.rows(begin, end),
                                       options_.clip, 1.0 / tokens_);
  };
  return head_
      .forward_backward(model_.parameters, gradients, workspace, hidden,
                        response_targets(sequences(rows)).targets, options_.temperature, loss)
      .dhidden;
}

View ValueObjective::forward_backward(const MicroBatch& rows, ConstView hidden,
                                      Workspace& workspace, Parameters& gradients) {
  const ConstView values = head_.forward(model_.parameters, workspace, hidden);
  const View old = upload(workspace, rows, &Experience::values);
  const View returns = upload(workspace, rows, &Experience::returns);
  View dvalues = workspace.take(values.shape());
  device_->backend().ppo_value_loss(device_->queue(), dvalues, sums_.view(), values, old, returns,
                                    options_.value_clip, options_.value_coefficient / tokens_);
  return head_.backward(model_.parameters, gradients, workspace, hidden, dvalues);
}

}  // namespace precis
