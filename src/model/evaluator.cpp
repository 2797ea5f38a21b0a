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

constexpr int hidden_tag = 4;

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

void Evaluator::for_each_micro_batch(const Parameters& parameters,
                                     std::span<const Sequence> sequences, Pack pack,
                                     const Visit& visit) {
  const ModelParallel& parallel = parameters.parallel();
  const int stage = parallel.place.stage;
  const auto receive = [&](View input) {
    parallel.pipeline->receive(device_->queue(), input, stage - 1, hidden_tag);
  };
  StartedOperation sent;
  for (const MicroBatch& micro : split_sequences(sequences, micro_batch_tokens_)) {
    if (between_) {
      between_();
    }
    try {
      sent.wait();  // its memory is given back
      workspace_.reset();
      const auto part = micro.of(sequences);
      const ConstView hidden = stage_.infer(parameters, workspace_, pack(part), receive);
      if (parallel.place.is_last_stage()) {
        visit(part, micro.begin, hidden);
      } else {
        sent = parallel.pipeline->start_send(device_->queue(), hidden, stage + 1, hidden_tag);
      }
    } catch (const OutOfMemory& error) {
      throw with_fitting_tokens(error, *device_, workspace_.bytes(),
                                inference_bytes_a_token(stage_.config(), *device_));
    }
  }
}

void Evaluator::share_flat(const Parameters& parameters, std::vector<float>& results,
                           std::size_t count) {
  const ModelParallel& parallel = parameters.parallel();
  if (parallel.place.stages > 1) {
    results.resize(count);
    parallel.pipeline->group().broadcast(std::as_writable_bytes(std::span(results)),
                                         parallel.place.stages - 1);
  }
}

void Evaluator::share(const Parameters& parameters, std::span<const Sequence> sequences,
                      std::int64_t width, std::vector<std::vector<float>>& results) const {
  const ModelParallel& parallel = parameters.parallel();
  if (parallel.place.stages == 1) {
    return;
  }
  std::size_t numbers = 0;
  for (const Sequence& sequence : sequences) {
    numbers += sequence.response.size() * static_cast<std::size_t>(width);
  }
  std::vector<float> flat;
  for (const std::vector<float>& result : results) {
    flat.insert(flat.end(), result.begin(), result.end());
  }
  share_flat(parameters, flat, numbers);
  results.clear();
  scatter(flat, sequences, width, results);
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
  const auto visit = [&](std::span<const Sequence> part, std::int64_t begin, ConstView hidden) {
    const TokenTargets targets = response_targets(part);
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
  };
  for_each_micro_batch(parameters, sequences, pack_for_responses, visit);
  share(parameters, sequences, 1, out.logprobs);
  share(parameters, sequences, 1, out.entropies);
  if (reference) {
    share(parameters, sequences, 1, out.kls);
    share(parameters, sequences, 1, out.reference_logprobs);
  }
  return out;
}

std::vector<std::vector<float>> Evaluator::hidden_states(const Parameters& parameters,
                                                         std::span<const Sequence> sequences) {
  std::vector<std::vector<float>> out;
  const auto visit = [&](std::span<const Sequence> part, std::int64_t, ConstView hidden) {
    scatter(device_->to_host<float>(in_precision(hidden, DType::f32)), part, hidden.extent(1), out);
  };
  for_each_micro_batch(parameters, sequences, pack_for_responses, visit);
  share(parameters, sequences, stage_.config().width, out);
  return out;
}

std::vector<std::vector<float>> Evaluator::values(const Parameters& parameters,
                                                  std::span<const Sequence> sequences) {
  assert(scalar_);
  std::vector<std::vector<float>> out;
  const auto visit = [&](std::span<const Sequence> part, std::int64_t, ConstView hidden) {
    const ConstView values = scalar_->forward(parameters, workspace_, hidden);
    scatter(device_->to_host<float>(values), part, 1, out);
  };
  for_each_micro_batch(parameters, sequences, pack_for_responses, visit);
  share(parameters, sequences, 1, out);
  return out;
}

std::vector<float> Evaluator::rewards(const Parameters& parameters,
                                      std::span<const Sequence> sequences) {
  assert(scalar_);
  std::vector<float> out;
  const auto visit = [&](std::span<const Sequence>, std::int64_t, ConstView hidden) {
    const auto rewards = device_->to_host<float>(scalar_->forward(parameters, workspace_, hidden));
    out.insert(out.end(), rewards.begin(), rewards.end());
  };
  for_each_micro_batch(parameters, sequences, pack_for_rewards, visit);
  share_flat(parameters, out, sequences.size());
  return out;
}

}  // namespace precis
