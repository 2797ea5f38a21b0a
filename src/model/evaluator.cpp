#include "model/evaluator.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "model/memory_fit.hpp"

namespace precis {
namespace {

/// Cuts a flat list of values of response tokens, `width` for each, into one list per sequence.
void scatter(std::span<const float> flat, std::span<const Sequence> sequences, std::int64_t width,
             std::vector<std::vector<float>>& out) {
  std::size_t place = 0;
  for (const Sequence& sequence : sequences) {
    const std::size_t count = sequence.response.size() * static_cast<std::size_t>(width);
    const auto part = flat.subspan(place, count);
    out.emplace_back(part.begin(), part.end());
    place += count;
  }
}

}  // namespace

Evaluator::Evaluator(Device& device, const ModelConfig& config, const Parameters& layout,
                     std::int64_t micro_batch_tokens, std::function<void()> between,
                     std::shared_ptr<Arena> arena)
    : device_(&device),
      stage_(device, config, layout, std::move(arena)),
      micro_batch_tokens_(micro_batch_tokens),
      between_(std::move(between)),
      workspace_(stage_.workspace(0)) {
  if (config.kind == ModelKind::language) {
    language_.emplace(device, layout);
  } else {
    scalar_.emplace(device, layout, config.reward_shift);
  }
}

void Evaluator::for_each_micro_batch(std::span<const Sequence> sequences, const Visit& visit) {
  for (const MicroBatch& micro : split_sequences(sequences, micro_batch_tokens_)) {
    if (between_) {
      between_();
    }
    try {
      workspace_.reset();
      visit(sequences.subspan(static_cast<std::size_t>(micro.begin),
                              static_cast<std::size_t>(micro.end - micro.begin)),
            micro.begin);
    } catch (const OutOfMemory& error) {
      throw with_fitting_tokens(error, *device_, workspace_.bytes(),
                                inference_bytes_a_token(stage_.config(), *device_));
    }
  }
}

ConstView Evaluator::in_precision(ConstView x, DType precision) {
  if (x.dtype() == precision) {
    return x;
  }
  View out = workspace_.take(x.shape(), precision);
  device_->backend().copy(device_->queue(), out, x);
  return out;
}

TokenStatistics Evaluator::statistics(const Parameters& parameters,
                                      std::span<const Sequence> sequences, double temperature,
                                      std::optional<Reference> reference) {
  assert(language_);
  TokenStatistics out;
  for_each_micro_batch(sequences, [&](std::span<const Sequence> part, std::int64_t begin) {
    const TokenTargets targets = response_targets(part);
    const ConstView hidden = stage_.infer(parameters, workspace_, pack_for_responses(part));
    std::optional<LanguageHead::Reference> other;
    if (reference) {
      std::vector<float> rows;
      for (std::size_t i = 0; i < part.size(); ++i) {
        const auto& states = reference->hidden[static_cast<std::size_t>(begin) + i];
        rows.insert(rows.end(), states.begin(), states.end());
      }
      const auto width = static_cast<std::int64_t>(rows.size()) /
                         std::max<std::int64_t>(1, targets.size());  // the reference's own C
      const ConstView uploaded = workspace_.upload(rows).reshaped({targets.size(), width});
      other.emplace(LanguageHead::Reference{reference->head, reference->parameters,
                                            in_precision(uploaded, device_->precision())});
    }
    const auto statistics =
        language_->statistics(parameters, workspace_, hidden, targets.targets, temperature, other);
    scatter(device_->to_host<float>(statistics.logprob), part, 1, out.logprobs);
    scatter(device_->to_host<float>(statistics.entropy), part, 1, out.entropies);
    if (reference) {
      scatter(device_->to_host<float>(statistics.kl), part, 1, out.kls);
      scatter(device_->to_host<float>(statistics.reference_logprob), part, 1,
              out.reference_logprobs);
    }
  });
  return out;
}

std::vector<std::vector<float>> Evaluator::hidden_states(const Parameters& parameters,
                                                         std::span<const Sequence> sequences) {
  std::vector<std::vector<float>> out;
  for_each_micro_batch(sequences, [&](std::span<const Sequence> part, std::int64_t) {
    const ConstView hidden = stage_.infer(parameters, workspace_, pack_for_responses(part));
    scatter(device_->to_host<float>(in_precision(hidden, DType::f32)), part, hidden.extent(1), out);
  });
  return out;
}

std::vector<std::vector<float>> Evaluator::values(const Parameters& parameters,
                                                  std::span<const Sequence> sequences) {
  assert(scalar_);
  std::vector<std::vector<float>> out;
  for_each_micro_batch(sequences, [&](std::span<const Sequence> part, std::int64_t) {
    const ConstView hidden = stage_.infer(parameters, workspace_, pack_for_responses(part));
    const ConstView values = scalar_->forward(parameters, workspace_, hidden);
    scatter(device_->to_host<float>(values), part, 1, out);
  });
  return out;
}

std::vector<float> Evaluator::rewards(const Parameters& parameters,
                                      std::span<const Sequence> sequences) {
  assert(scalar_);
  std::vector<float> out;
  for_each_micro_batch(sequences, [&](std::span<const Sequence> part, std::int64_t) {
    const ConstView hidden = stage_.infer(parameters, workspace_, pack_for_rewards(part));
    const auto rewards = device_->to_host<float>(scalar_->forward(parameters, workspace_, hidden));
    out.insert(out.end(), rewards.begin(), rewards.end());
  });
  return out;
}

}  // namespace precis
