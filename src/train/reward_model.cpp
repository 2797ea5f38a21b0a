#include "train/reward_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <tuple>

#include "data/step_rows.hpp"

namespace precis {
RewardObjective::RewardObjective(Machine& machine, const Model& model, RankGroup& ranks,
                                 const std::vector<Pair>& train, const std::vector<Pair>& valid,
                                 std::int64_t micro_batch_tokens)
    : SupervisedObjective({.rows = std::ssize(train),
                           .has_accuracy = true,
                           .has_validation = !valid.empty(),
                           .has_samples = false}),
      machine_(machine),
      model_(model),
      ranks_(ranks),
      train_(train),
      valid_(valid),
      sums_(machine.device.allocate(
          {static_cast<std::int64_t>(PreferenceSum::count), exact_sum_words}, DType::i64)),
      head_(machine.device, model.parameters, model.config.reward_shift),
      evaluator_(machine.device, model.config, model.parameters, micro_batch_tokens,
                 [&ranks] { ranks.progress().tick("validation"); }) {}

double RewardObjective::weight(std::span<const std::int64_t> rows) const {
  double sum = 0;
  for (const std::int64_t row : rows) {
    sum += train_[static_cast<std::size_t>(row)].weight;
  }
  return sum;
}

void RewardObjective::begin(std::span<const std::int64_t> rows, double weight) {
  step_.clear();
  for (const std::int64_t row : rows) {
    step_.push_back(&train_[static_cast<std::size_t>(row)]);
  }
  step_weight_ = weight;
  machine_.device.backend().fill(machine_.device.queue(), sums_.view(), 0.0);
}

std::vector<std::int64_t> RewardObjective::lengths() const {
  std::vector<std::int64_t> lengths;
  for (const Pair* pair : step_) {
    lengths.push_back(pair->tokens());
  }
  return lengths;
}

std::span<const Pair* const> RewardObjective::pairs(const MicroBatch& rows) const {
  return rows.of(std::span<const Pair* const>(step_));
}

PackedBatch RewardObjective::pack(const MicroBatch& rows) const {
  PackedBatch batch;
  for (const Pair* pair : pairs(rows)) {
    batch.append(pair->query, pair->chosen());
    batch.append(pair->query, pair->rejected());
  }
  batch.read = batch.last_rows();  // chosen before rejected
  return batch;
}

View RewardObjective::forward_backward(const MicroBatch& rows, ConstView hidden,
                                       Workspace& workspace, Parameters& gradients) {
  Device& device = machine_.device;
  const ConstView rewards = head_.forward(model_.parameters, workspace, hidden);
  View drewards = workspace.take(rewards.shape());
  std::vector<double> weights;
  for (const Pair* pair : pairs(rows)) {
    weights.push_back(pair->weight);
  }
  device.backend().preference_loss(device.queue(), drewards, sums_.view(), rewards,
                                   workspace.upload(weights), step_weight_);
  return head_.backward(model_.parameters, gradients, workspace, hidden, drewards);
}

LossSums RewardObjective::sums() {
  LossSums out;
  for (const Pair* pair : step_) {
    out.weight += pair->weight;
    out.tokens += pair->tokens();
  }
  const auto sums = exact_sums(machine_.device.to_host<std::int64_t>(sums_.view()));
  out.loss = sums[static_cast<std::size_t>(PreferenceSum::loss)];
  out.correct = sums[static_cast<std::size_t>(PreferenceSum::correct)];
  return out;
}

LossSums RewardObjective::validate() {
  std::vector<Sequence> sequences;
  const auto [begin, end] =
      part_of(static_cast<std::int64_t>(valid_.size()), ranks_.rank(), ranks_.size());
  for (std::int64_t row = begin; row < end; ++row) {
    const Pair& pair = valid_[static_cast<std::size_t>(row)];
    sequences.push_back({pair.query, pair.chosen()});
    sequences.push_back({pair.query, pair.rejected()});
  }
  const auto rewards = evaluator_.rewards(model_.parameters, sequences);
  LossSums out;
  for (std::size_t i = 0; i < rewards.size(); i += 2) {
    const double margin = static_cast<double>(rewards[i]) - static_cast<double>(rewards[i + 1]);
    // -log sigmoid(margin), stable on both sides.
    out.loss.add(std::max(-margin, 0.0) + std::log1p(std::exp(-std::abs(margin))));
    out.correct.add(margin > 0 ? 1.0 : margin == 0 ? 0.5 : 0.0);
    out.weight += 1;
  }
  return out;
}

std::vector<std::array<float, 2>> pair_rewards(Device& device, const ModelConfig& config,
                                               const Parameters& parameters, RankGroup& ranks,
                                               std::span<const Pair> pairs,
                                               std::int64_t micro_batch_tokens) {
  std::vector<Sequence> sequences;
  const auto [begin, end] =
      part_of(static_cast<std::int64_t>(pairs.size()), ranks.rank(), ranks.size());
  for (std::int64_t row = begin; row < end; ++row) {
    const Pair& pair = pairs[static_cast<std::size_t>(row)];
    sequences.push_back({pair.query, pair.responses[0]});
    sequences.push_back({pair.query, pair.responses[1]});
  }
  Evaluator evaluator(device, config, parameters, micro_batch_tokens,
                      [&ranks] { ranks.progress().tick("rewards"); });
  const auto mine = evaluator.rewards(parameters, sequences);
  std::vector<std::array<float, 2>> all;
  for (const Bytes& part : ranks.all_gather(std::as_bytes(std::span(mine)))) {
    const std::size_t first = all.size();
    all.resize(first + part.size() / sizeof(std::array<float, 2>));
    if (!part.empty()) {
      std::memcpy(all.data() + first, part.data(), part.size());
    }
  }
  return all;
}

std::optional<double> reference_mean(std::span<const Pair> pairs,
                                     std::span<const std::array<float, 2>> rewards) {
  using Key = std::tuple<std::string_view, std::string_view, std::string_view>;
  std::set<Key> seen;
  double sum = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Comparison& comparison = pairs[i].comparison;
    for (std::size_t side = 0; side < 2; ++side) {
      if (comparison.policies[side] == "ref" &&
          seen.emplace(comparison.post.title, comparison.post.body, comparison.summaries[side])
              .second) {
        sum += static_cast<double>(rewards[i][side]);
      }
    }
  }
  if (seen.empty()) {
    return std::nullopt;
  }
  return sum / static_cast<double>(seen.size());
}

}  // namespace precis
