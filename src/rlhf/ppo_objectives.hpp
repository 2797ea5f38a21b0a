// What PPO trains the policy and the value network for, on a mini-batch of experience.
#pragma once

#include <span>
#include <vector>

#include "kernels/exact_sum.hpp"
#include "model/evaluator.hpp"
#include "rlhf/experience.hpp"
#include "rlhf/options.hpp"
#include "train/objective.hpp"

namespace precis {

using Members = std::vector<const Experience*>;

/// What both losses share: the episodes of a mini-batch, and sums of their tokens on the device.
class PpoObjective : public Objective {
 public:
  /// The next step's loss is the mean over the `tokens` response tokens of a mini-batch, of which
  /// this rank has the episodes `mine`.
  void begin(Members mine, std::int64_t tokens);
  /// PolicySum or ValueSum over the episodes, once all have been through the pipeline.
  [[nodiscard]] std::vector<ExactSum> sums() const {
    return exact_sums(device_->to_host<std::int64_t>(sums_.view()));
  }

  [[nodiscard]] std::vector<std::int64_t> lengths() const override;
  [[nodiscard]] PackedBatch pack(const MicroBatch& rows) const override;

 protected:
  PpoObjective(Device& device, const Model& model, const PpoOptions& options, std::int64_t sums)
      : device_(&device),
        model_(model),
        options_(options),
        sums_(device.allocate({sums, exact_sum_words}, DType::i64)) {}

  [[nodiscard]] std::span<const Sequence> sequences(const MicroBatch& rows) const;
  /// One list of a field of the response tokens of these rows, on the device.
  [[nodiscard]] View upload(Workspace& workspace, const MicroBatch& rows,
                            std::vector<float> Experience::*field) const;

  Device* device_;
  const Model& model_;
  const PpoOptions& options_;
  Tensor sums_;  // (sums, exact_sum_words) i64
  double tokens_ = 1;

 private:
  Members members_;
  std::vector<Sequence> sequences_;
};

/// The clipped objective of the log-probs (Schulman et al. 2017, equation 7).
class PolicyObjective final : public PpoObjective {
 public:
  PolicyObjective(Device& device, const Model& policy, const PpoOptions& options)
      : PpoObjective(device, policy, options, static_cast<std::int64_t>(PolicySum::count)),
        ratio_max_(device.allocate({1}, DType::f64)),
        head_(device, policy.parameters) {}

  void begin(Members mine, std::int64_t tokens);
  /// The largest ratio of new to old probability of the episodes; 0 without any.
  [[nodiscard]] double ratio_max() const {
    return device_->to_host<double>(ratio_max_.view()).front();
  }
  [[nodiscard]] View forward_backward(const MicroBatch& rows, ConstView hidden,
                                      Workspace& workspace, Parameters& gradients) override;

 private:
  Tensor ratio_max_;  // (1) f64
  LanguageHead head_;
};

/// The clipped squared distance of the values from the returns, by ppo.value_coefficient.
class ValueObjective final : public PpoObjective {
 public:
  ValueObjective(Device& device, const Model& value, const PpoOptions& options)
      : PpoObjective(device, value, options, static_cast<std::int64_t>(ValueSum::count)),
        head_(device, value.parameters, value.config.reward_shift) {}

  [[nodiscard]] View forward_backward(const MicroBatch& rows, ConstView hidden,
                                      Workspace& workspace, Parameters& gradients) override;

 private:
  ScalarHead head_;
};

}  // namespace precis
