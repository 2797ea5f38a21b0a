#include "train/reward_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <tuple>

#include "data/step_rows.hpp"

namespace precis {
namespace {

std::vector<double> different_weights(const std::vector<Pair>& pairs) {
  std::set<double> weights;
  for (const Pair& pair : pairs) {
    weights.insert(pair.weight);
  }
  return {weights.begin(), weights.end()};
}

}  // namespace

RewardObjective::RewardObjective(Machine& machine, const Model& model, RankGroup& ranks,
                                 const std::vector<Pair>& train, const std::vector<Pair>& valid,
                                 std::int64_t micro_batch_tokens)
    : machine_(machine),
      model_(model),
      ranks_(ranks),
      micro_batch_tokens_(micro_batch_tokens),
      train_(train),
      valid_(valid),
      weights_(different_weights(train)),
      sums_(machine.device.allocate({static_cast<std::int64_t>(weights_.size()),
                                     static_cast<std::int64_t>(PreferenceSum::count)},
                                    DType::f64)),
      stage_(machine.device, model.config, model.parameters),
      head_(machine.device, model.parameters, model.config.reward_shift),
      evaluator_(machine.device, model.config, model.parameters, micro_batch_tokens,
                 [&ranks] { ranks.progress().tick("validation"); }) {}

SupervisedTask RewardObjective::task() {
  SupervisedTask task;
  task.rows = static_cast<std::int64_t>(train_.size());
  task.has_accuracy = true;
  task.has_validation = !valid_.empty();
  task.weight = [this](std::span<const std::int64_t> rows) {
    double sum = 0;
    for (const std::int64_t row : rows) {
      sum += train_[static_cast<std::size_t>(row)].weight;
    }
    return sum;
  };
  task.accumulate = [this](std::span<const std::int64_t> rows, double weight,
                           Parameters& gradients) { return accumulate(rows, weight, gradients); };
  task.validate = [this] { return validate(); };
  return task;
}

LossSums RewardObjective::accumulate(std::span<const std::int64_t> rows, double weight,
                                     Parameters& gradients) {
  const auto pair_of = [&](std::int64_t i) -> const Pair& {
    return train_[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)])];
  };
  std::vector<std::int64_t> lengths;
  LossSums out;
  for (std::int64_t i = 0; i < std::ssize(rows); ++i) {
    lengths.push_back(pair_of(i).tokens());
    out.weight += pair_of(i).weight;
  }
  Device& device = machine_.device;
  device.backend().fill(device.queue(), sums_.view(), 0.0);
  for (const MicroBatch& micro : split_micro_batches(lengths, micro_batch_tokens_)) {
    ranks_.progress().tick("gradient");
    PackedBatch batch;
    std::vector<std::int32_t> last;  // (2B): the end token's rows, chosen before rejected
    for (std::int64_t i = micro.begin; i < micro.end; ++i) {
      const Pair& pair = pair_of(i);
      batch.append(pair.query, pair.chosen());
      last.push_back(batch.offsets.back() - 1);
      batch.append(pair.query, pair.rejected());
      last.push_back(batch.offsets.back() - 1);
    }
    const ConstView hidden = stage_.forward(model_.parameters, batch, 0);
    Workspace& workspace = stage_.workspace(0);
    const View positions = workspace.upload(last);
    const ConstView rewards = head_.forward(model_.parameters, workspace, hidden, positions);
    View drewards = workspace.take(rewards.shape());
    // One call for each run of pairs of equal weight.
    for (std::int64_t begin = micro.begin, end = begin; begin < micro.end; begin = end) {
      const double of_pair = pair_of(begin).weight;
      while (end < micro.end && pair_of(end).weight == of_pair) {
        ++end;
      }
      const auto kind = std::lower_bound(weights_.begin(), weights_.end(), of_pair);
      const std::int64_t first = 2 * (begin - micro.begin);
      const std::int64_t last_row = 2 * (end - micro.begin);
      device.backend().preference_loss(device.queue(), drewards.rows(first, last_row),
                                       sums_.view().row(kind - weights_.begin()),
                                       rewards.rows(first, last_row), of_pair / weight);
    }
    View dhidden = workspace.zeros(hidden.shape(), hidden.dtype());
    head_.backward(model_.parameters, gradients, workspace, hidden, positions, drewards, dhidden);
    stage_.backward(model_.parameters, gradients, 0, dhidden);
    out.tokens += batch.size();
  }
  const auto host = device.to_host<double>(sums_.view());
  for (std::size_t k = 0; k < weights_.size(); ++k) {
    const double* const sums = &host[k * static_cast<std::size_t>(PreferenceSum::count)];
    out.loss += weights_[k] * sums[static_cast<std::size_t>(PreferenceSum::loss)];
    out.correct += weights_[k] * sums[static_cast<std::size_t>(PreferenceSum::correct)];
  }
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
    out.loss += std::max(-margin, 0.0) + std::log1p(std::exp(-std::abs(margin)));
    out.correct += margin > 0 ? 1.0 : margin == 0 ? 0.5 : 0.0;
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
    const Comparison& of = pairs[i].comparison;
    for (std::size_t side = 0; side < 2; ++side) {
      if (of.policies[side] == "ref" &&
          seen.emplace(of.post.title, of.post.body, of.summaries[side]).second) {
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
