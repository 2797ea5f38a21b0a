#include "rlhf/learner.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/random.hpp"
#include "parallel/collectively.hpp"
#include "parallel/exact_sum.hpp"
#include "rlhf/rewards.hpp"
#include "train/guard.hpp"

namespace precis {
namespace {

template <class Of>
double value_of(const std::vector<ExactSum>& sums, Of which) {
  return sums[static_cast<std::size_t>(which)].value();
}

std::int64_t tokens_of(std::span<const Experience* const> members) {
  std::int64_t tokens = 0;
  for (const Experience* member : members) {
    tokens += static_cast<std::int64_t>(member->episode.response.size());
  }
  return tokens;
}

void merge(std::vector<ExactSum>& sums, const std::vector<ExactSum>& others) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i].merge(others[i]);
  }
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
      policy_objective_(s.device, s.policy, s.options),
      value_objective_(s.device, s.value, s.options),
      policy_pipeline_({.device = s.device,
                        .model = s.policy,
                        .ranks = s.ranks.group(),
                        .micro_batch_tokens = s.train.micro_batch_tokens,
                        .activity = "policy update",
                        .schedule = schedule_of(s.train.parallel.schedule),
                        .activations = s.train.parallel.activations,
                        .arena = s.arena}),
      value_pipeline_({.device = s.device,
                       .model = s.value,
                       .ranks = s.ranks.group(),
                       .micro_batch_tokens = s.train.micro_batch_tokens,
                       .activity = "value update",
                       .schedule = schedule_of(s.train.parallel.schedule),
                       .activations = s.train.parallel.activations,
                       .arena = s.arena}),
      reference_head_(s.device, s.reference_head),
      policy_evaluator_(
          s.device, s.policy.config, s.policy.parameters, s.train.micro_batch_tokens,
          [&ranks = s.ranks] { ranks.progress().tick("old log-probs"); }, s.arena),
      value_evaluator_(
          s.device, s.value.config, s.value.parameters, s.train.micro_batch_tokens,
          [&ranks = s.ranks] { ranks.progress().tick("old values"); }, s.arena),
      parts_(data_parts(s.train.data_parts, s.ranks.rank(), s.ranks.size())),
      policy_optimizer_(s.device, s.policy.parameters, optimizer_setup()),
      value_optimizer_(s.device, s.value.parameters, optimizer_setup()) {
  if (s.options.staleness > 0) {
    behaviour_.emplace(s.device, s.policy.parameters.specs(), MemoryUse::parameters,
                       s.policy.parameters.parallel());
    keep_behaviour();
  }
}

void Learner::keep_behaviour() {
  if (behaviour_) {
    setup_.device.backend().copy(setup_.device.queue(), behaviour_->flat(),
                                 std::as_const(setup_.policy.parameters).flat());
  }
}

Optimizer::Setup Learner::optimizer_setup() const {
  return {.parts = parts_.mine(), .copies = &setup_.ranks, .zero = setup_.train.parallel.zero};
}

std::vector<Experience> Learner::experience(std::vector<Episode> mine, double kl_coefficient) {
  std::vector<Sequence> sequences;
  std::vector<std::vector<float>> reference_hidden;
  for (Episode& episode : mine) {
    sequences.push_back(episode.sequence());
    reference_hidden.push_back(std::exchange(episode.reference_hidden, {}));
  }
  TokenStatistics statistics = policy_evaluator_.statistics(
      setup_.policy.parameters, sequences, setup_.options.temperature,
      Evaluator::Reference{reference_head_, setup_.reference_head, reference_hidden});
  auto values = value_evaluator_.values(setup_.value.parameters, sequences);

  std::vector<Experience> out;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    Experience& experience = out.emplace_back();
    experience.episode = std::move(mine[i]);
    experience.reference_logprobs = std::move(statistics.reference_logprobs[i]);
    experience.policy_logprobs = std::move(statistics.logprobs[i]);
    // A correction weighs by the one what the ratio then leaves out.
    const PpoOptions& o = setup_.options;
    experience.logprobs = o.staleness > 0 && o.correction == Correction::none
                              ? experience.episode.rollout_logprobs
                              : experience.policy_logprobs;
    experience.entropies = std::move(statistics.entropies[i]);
    experience.exact_kls = std::move(statistics.kls[i]);
    experience.values = std::move(values[i]);
    assign_rewards(experience, setup_.options, kl_coefficient);
  }
  return out;
}

UpdateReport Learner::update(std::span<const Experience> batch, std::int64_t step, Rates rates) {
  const PpoOptions& o = setup_.options;
  UpdateReport report;
  const bool policy_learns = step > o.value_warmup_steps;
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
      finite = update_mini_batch({.members = std::move(members), .policy_learns = policy_learns},
                                 rates, report);
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

bool Learner::update_mini_batch(const MiniBatch& mini_batch, Rates rates, UpdateReport& report) {
  const Members& members = mini_batch.members;
  const bool policy_learns = mini_batch.policy_learns;
  const std::int64_t tokens = tokens_of(members);
  const auto members_of = [&](std::int64_t part) {
    const auto [begin, end] = parts_.rows_of(part, std::ssize(members));
    return Members(members.begin() + begin, members.begin() + end);
  };
  std::vector<ExactSum> policy(static_cast<std::size_t>(PolicySum::count));
  std::vector<ExactSum> value(static_cast<std::size_t>(ValueSum::count));
  double ratio_max = policy_learns ? 0 : 1;
  if (policy_learns) {
    policy_optimizer_.form_gradients(
        [&](std::int64_t part, Parameters& gradients, const Pipeline::Complete& complete) {
          policy_objective_.begin(members_of(part), tokens);
          policy_pipeline_.accumulate(policy_objective_, gradients, complete);
          merge(policy, policy_objective_.sums());
          ratio_max = std::max(ratio_max, policy_objective_.ratio_max());
        });
  }
  value_optimizer_.form_gradients(
      [&](std::int64_t part, Parameters& gradients, const Pipeline::Complete& complete) {
        value_objective_.begin(members_of(part), tokens);
        value_pipeline_.accumulate(value_objective_, gradients, complete);
        merge(value, value_objective_.sums());
      });

  // Other stages than the last have seen no loss.
  for (Communicator* ranks : {&setup_.ranks, setup_.policy.parameters.parallel().pipeline}) {
    if (ranks != nullptr) {
      ratio_max = all_max(ranks->group(), ratio_max);
      all_reduce(ranks->group(), policy);
      all_reduce(ranks->group(), value);
    }
  }
  double policy_norm = 0;
  double value_norm = 0;
  {
    const WorkScope scope(setup_.ranks.work(),
                          {.kind = WorkKind::optimizer, .name = "gradient norms"});
    policy_norm = policy_learns ? policy_optimizer_.reduce(setup_.train.clip_norm) : 0;
    value_norm = value_optimizer_.reduce(setup_.train.clip_norm);
  }

  const auto count = static_cast<double>(tokens);
  report.policy_loss += value_of(policy, PolicySum::loss) / count;
  report.clip_fraction_policy += value_of(policy, PolicySum::clipped) / count;
  report.ratio_mean += policy_learns ? value_of(policy, PolicySum::ratio) / count : 1;
  report.ratio_max = std::max(report.ratio_max, ratio_max);
  report.update_kl += value_of(policy, PolicySum::squared_change) / count;
  report.value_loss += value_of(value, ValueSum::loss) / count;
  report.clip_fraction_value += value_of(value, ValueSum::clipped) / count;
  report.gradient_norm_policy += policy_norm;
  report.gradient_norm_value += value_norm;
  if (!std::isfinite(report.policy_loss + report.value_loss + policy_norm + value_norm)) {
    return false;
  }
  const WorkScope scope(setup_.ranks.work(), {.kind = WorkKind::optimizer});
  if (report.applied == 0) {
    keep_behaviour();
  }
  if (policy_learns) {
    policy_optimizer_.apply(setup_.policy.parameters, setup_.train, rates.policy);
  }
  value_optimizer_.apply(setup_.value.parameters, setup_.train, rates.value);
  return true;
}

void Learner::write(StateWriter* file, ProcessGrid& grid, const ModelRanks& ranks) const {
  ShardWriter parts(file, setup_.device, grid, ranks);
  parts.part("policy", setup_.policy);
  policy_optimizer_.write(parts, "policy", setup_.policy.config);
  if (behaviour_) {
    parts.part(behaviour_part, setup_.policy.config, setup_.policy.tokenizer, *behaviour_);
  }
  parts.part("value", setup_.value);
  value_optimizer_.write(parts, "value", setup_.value.config);
}

void Learner::read(const StateReader& file, const UpdateCounts& updates) {
  read_tensors(file, "policy", weight_path, setup_.policy.parameters, setup_.device);
  policy_optimizer_.read(file, "policy", updates.policy);
  if (behaviour_) {
    read_tensors(file, behaviour_part, weight_path, *behaviour_, setup_.device);
  }
  read_tensors(file, "value", weight_path, setup_.value.parameters, setup_.device);
  value_optimizer_.read(file, "value", updates.value);
}

}  // namespace precis
