#include "rlhf/learner.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random.hpp"
#include "data/step_rows.hpp"
#include "parallel/collectively.hpp"
#include "rlhf/rewards.hpp"
#include "train/guard.hpp"

namespace precis {
namespace {

constexpr auto policy_sums = static_cast<std::int64_t>(PolicySum::count);
constexpr auto value_sums = static_cast<std::int64_t>(ValueSum::count);

template <class Of>
double& at(std::vector<double>& sums, Of which) {
  return sums[static_cast<std::size_t>(which)];
}

std::vector<Sequence> sequences_of(std::span<const Experience* const> members) {
  std::vector<Sequence> sequences;
  for (const Experience* member : members) {
    sequences.push_back(member->episode.sequence());
  }
  return sequences;
}

/// One list of a per-token field over several episodes.
std::vector<float> joined(std::span<const Experience* const> members,
                          std::vector<float> Experience::*field) {
  std::vector<float> all;
  for (const Experience* member : members) {
    const std::vector<float>& of = member->*field;
    all.insert(all.end(), of.begin(), of.end());
  }
  return all;
}

std::int64_t tokens_of(std::span<const Experience* const> members) {
  std::int64_t tokens = 0;
  for (const Experience* member : members) {
    tokens += static_cast<std::int64_t>(member->episode.response.size());
  }
  return tokens;
}

}  // namespace

std::vector<std::int64_t> mini_batches_of(std::int64_t batch, std::int64_t mini_batches,
                                          std::uint64_t seed, std::int64_t step,
                                          std::int64_t epoch) {
  const auto number = static_cast<std::uint64_t>(step) << 16 | static_cast<std::uint64_t>(epoch);
  const auto order = permutation(batch, seed, Purpose::mini_batches, number);
  const std::int64_t each = batch / mini_batches;
  std::vector<std::int64_t> out(static_cast<std::size_t>(batch));
  for (std::int64_t place = 0; place < batch; ++place) {
    out[static_cast<std::size_t>(order[static_cast<std::size_t>(place)])] = place / each;
  }
  return out;
}

Learner::Learner(const Setup& s)
    : setup_(s),
      policy_sums_(s.device.allocate({policy_sums}, DType::f64)),
      value_sums_(s.device.allocate({value_sums}, DType::f64)),
      policy_stage_(s.device, s.policy.config, s.policy.parameters),
      value_stage_(s.device, s.value.config, s.value.parameters),
      policy_head_(s.device, s.policy.parameters),
      reference_head_(s.device, s.reference_head),
      value_head_(s.device, s.value.parameters, s.value.config.reward_shift),
      policy_evaluator_(s.device, s.policy.config, s.policy.parameters, s.train.micro_batch_tokens,
                        [&ranks = s.ranks] { ranks.progress().tick("old log-probs"); }),
      value_evaluator_(s.device, s.value.config, s.value.parameters, s.train.micro_batch_tokens,
                       [&ranks = s.ranks] { ranks.progress().tick("old values"); }),
      policy_optimizer_(s.device, s.policy.parameters),
      value_optimizer_(s.device, s.value.parameters) {}

std::vector<Experience> Learner::experience(std::vector<Episode> mine, double kl_coefficient) {
  std::vector<Sequence> sequences;
  std::vector<std::vector<float>> reference_hidden;
  for (Episode& episode : mine) {
    sequences.push_back(episode.sequence());
    reference_hidden.push_back(std::exchange(episode.reference_hidden, {}));
  }
  TokenStatistics of = policy_evaluator_.statistics(
      setup_.policy.parameters, sequences, setup_.options.temperature,
      Evaluator::Reference{reference_head_, setup_.reference_head, reference_hidden});
  auto values = value_evaluator_.values(setup_.value.parameters, sequences);

  std::vector<Experience> out;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    Experience& experience = out.emplace_back();
    experience.episode = std::move(mine[i]);
    experience.logprobs = std::move(of.logprobs[i]);
    experience.entropies = std::move(of.entropies[i]);
    experience.exact_kls = std::move(of.kls[i]);
    experience.values = std::move(values[i]);
    assign_rewards(experience, setup_.options, kl_coefficient);
  }
  return out;
}

UpdateReport Learner::update(std::span<const Experience> batch, std::int64_t step, Rates rates) {
  const PpoOptions& o = setup_.options;
  UpdateReport report;
  bool finite = true;
  int updates = 0;
  for (std::int64_t epoch = 0; finite && epoch < o.epochs; ++epoch) {
    const auto part = mini_batches_of(static_cast<std::int64_t>(batch.size()), o.mini_batches,
                                      setup_.seed, step, epoch);
    for (std::int64_t mini_batch = 0; finite && mini_batch < o.mini_batches; ++mini_batch) {
      Members members;  // in episode order
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if (part[i] == mini_batch) {
          members.push_back(&batch[i]);
        }
      }
      finite = update_mini_batch(members, rates, report);
      report.applied += finite ? 1 : 0;
      ++updates;
    }
  }
  for (double* mean :
       {&report.policy_loss, &report.value_loss, &report.update_kl, &report.clip_fraction_policy,
        &report.clip_fraction_value, &report.ratio_mean, &report.gradient_norm_policy,
        &report.gradient_norm_value}) {
    *mean /= updates;
  }
  return report;
}

bool Learner::update_mini_batch(const Members& members, Rates rates, UpdateReport& report) {
  Device& device = setup_.device;
  const auto [begin, end] =
      part_of(static_cast<std::int64_t>(members.size()), setup_.ranks.rank(), setup_.ranks.size());
  const Members mine(members.begin() + begin, members.begin() + end);
  const std::int64_t tokens = tokens_of(members);

  for (const View sums : {policy_sums_.view(), value_sums_.view()}) {
    device.backend().fill(device.queue(), sums, 0.0);
  }
  policy_optimizer_.zero_gradients();
  value_optimizer_.zero_gradients();
  policy_gradient(mine, tokens, policy_sums_.view());
  value_gradient(mine, tokens, value_sums_.view());

  std::vector<double> policy = device.to_host<double>(policy_sums_.view());
  std::vector<double> value = device.to_host<double>(value_sums_.view());
  const double ratio_max = all_max(setup_.ranks.group(), at(policy, PolicySum::ratio_max));
  setup_.ranks.group().all_reduce(policy, Reduction::sum);
  setup_.ranks.group().all_reduce(value, Reduction::sum);
  const double policy_norm = policy_optimizer_.reduce(setup_.ranks, setup_.train.clip_norm);
  const double value_norm = value_optimizer_.reduce(setup_.ranks, setup_.train.clip_norm);

  const auto count = static_cast<double>(tokens);
  report.policy_loss += at(policy, PolicySum::loss) / count;
  report.clip_fraction_policy += at(policy, PolicySum::clipped) / count;
  report.ratio_mean += at(policy, PolicySum::ratio) / count;
  report.ratio_max = std::max(report.ratio_max, ratio_max);
  report.update_kl += at(policy, PolicySum::squared_change) / count;
  report.value_loss += at(value, ValueSum::loss) / count;
  report.clip_fraction_value += at(value, ValueSum::clipped) / count;
  report.gradient_norm_policy += policy_norm;
  report.gradient_norm_value += value_norm;
  if (!std::isfinite(report.policy_loss + report.value_loss + policy_norm + value_norm)) {
    return false;
  }
  policy_optimizer_.apply(setup_.policy.parameters, setup_.train, rates.policy);
  value_optimizer_.apply(setup_.value.parameters, setup_.train, rates.value);
  return true;
}

void Learner::for_each_micro_batch(
    const Members& mine,
    const std::function<void(MemberSpan, std::span<const Sequence>)>& visit) const {
  const auto sequences = sequences_of(mine);
  for (const MicroBatch& micro : split_sequences(sequences, setup_.train.micro_batch_tokens)) {
    const auto first = static_cast<std::size_t>(micro.begin);
    const auto count = static_cast<std::size_t>(micro.end - micro.begin);
    visit(MemberSpan(mine).subspan(first, count), std::span(sequences).subspan(first, count));
  }
}

void Learner::policy_gradient(const Members& mine, std::int64_t tokens, View sums) {
  Device& device = setup_.device;
  for_each_micro_batch(mine, [&](MemberSpan members, std::span<const Sequence> sequences) {
    setup_.ranks.progress().tick("policy update");
    const TokenTargets targets = response_targets(sequences);
    const Parameters& parameters = setup_.policy.parameters;
    const ConstView hidden = policy_stage_.forward(parameters, pack_inputs(sequences), 0);
    Workspace& workspace = policy_stage_.workspace(0);
    const View old = workspace.upload(joined(members, &Experience::logprobs));
    const View advantages = workspace.upload(joined(members, &Experience::advantages));
    View dhidden = workspace.zeros(hidden.shape(), hidden.dtype());
    const auto loss = [&](View dlogprob, ConstView logprob, std::int64_t begin, std::int64_t end) {
      device.backend().ppo_policy_loss(device.queue(), dlogprob, sums, logprob,
                                       old.rows(begin, end), advantages.rows(begin, end),
                                       setup_.options.clip, 1.0 / static_cast<double>(tokens));
    };
    (void)policy_head_.forward_backward(parameters, policy_optimizer_.gradients(), workspace,
                                        hidden, targets, setup_.options.temperature, loss, dhidden);
    policy_stage_.backward(parameters, policy_optimizer_.gradients(), 0, dhidden);
  });
}

void Learner::value_gradient(const Members& mine, std::int64_t tokens, View sums) {
  Device& device = setup_.device;
  for_each_micro_batch(mine, [&](MemberSpan members, std::span<const Sequence> sequences) {
    setup_.ranks.progress().tick("value update");
    const Parameters& parameters = setup_.value.parameters;
    const ConstView hidden = value_stage_.forward(parameters, pack_inputs(sequences), 0);
    Workspace& workspace = value_stage_.workspace(0);
    const View rows = workspace.upload(response_targets(sequences).positions);
    const ConstView values = value_head_.forward(parameters, workspace, hidden, rows);
    const View old = workspace.upload(joined(members, &Experience::values));
    const View returns = workspace.upload(joined(members, &Experience::returns));
    View dvalues = workspace.take(values.shape());
    device.backend().ppo_value_loss(device.queue(), dvalues, sums, values, old, returns,
                                    setup_.options.value_clip,
                                    setup_.options.value_coefficient / static_cast<double>(tokens));
    View dhidden = workspace.zeros(hidden.shape(), hidden.dtype());
    value_head_.backward(parameters, value_optimizer_.gradients(), workspace, hidden, rows, dvalues,
                         dhidden);
    value_stage_.backward(parameters, value_optimizer_.gradients(), 0, dhidden);
  });
}

void Learner::write(StateWriter& file) const {
  write_part(file, "policy", setup_.policy, setup_.device);
  policy_optimizer_.write(file, "policy");
  write_part(file, "value", setup_.value, setup_.device);
  value_optimizer_.write(file, "value");
}

void Learner::read(const StateReader& file, std::int64_t updates) {
  read_tensors(file, "policy", weight_path, setup_.policy.parameters, setup_.device);
  policy_optimizer_.read(file, "policy", updates);
  read_tensors(file, "value", weight_path, setup_.value.parameters, setup_.device);
  value_optimizer_.read(file, "value", updates);
}

}  // namespace precis
