#include "rlhf/step_report.hpp"

#include <array>
#include <cmath>
#include <span>
#include <type_traits>

namespace precis {
namespace {

constexpr std::array<const char*, 5> phase_names{"rollout", "reward", "experience", "update",
                                                 "sync"};

double seconds_of(const PhaseTimer& phases, const char* name) {
  const auto found = phases.seconds().find(name);
  return found == phases.seconds().end() ? 0.0 : found->second;
}

}  // namespace

void broadcast(StepReport& report, RankGroup& world, int root) {
  static_assert(std::is_trivially_copyable_v<StepReport>);
  world.broadcast(std::as_writable_bytes(std::span(&report, 1)), root);
}

Row metrics_row(const StepReport& report, std::int64_t weight_version) {
  const BatchReport& b = report.batch;
  const UpdateReport& u = report.update;
  Row row{{"score_mean", b.score_mean},
          {"score_std", b.score_std},
          {"rlhf_reward", b.rlhf_reward},
          {"kl_k1", b.kl_k1},
          {"kl_k3", b.kl_k3},
          {"kl_exact", b.kl_exact},
          {"kl_coefficient", report.kl_coefficient},
          {"entropy", b.entropy},
          {"policy_loss", u.policy_loss},
          {"value_loss", u.value_loss},
          {"update_kl", u.update_kl},
          {"clip_fraction_policy", u.clip_fraction_policy},
          {"clip_fraction_value", u.clip_fraction_value},
          {"ratio_mean", u.ratio_mean},
          {"ratio_max", u.ratio_max},
          {"explained_variance", b.explained_variance},
          {"response_tokens_mean", b.response_tokens_mean},
          {"ended_fraction", b.ended_fraction},
          {"learning_rate", report.learning_rate},
          {"gradient_norm", std::hypot(u.gradient_norm_policy, u.gradient_norm_value)},
          {"gradient_norm_policy", u.gradient_norm_policy},
          {"gradient_norm_value", u.gradient_norm_value},
          {"logprob_gap_mean", b.logprob_gap_mean},
          {"logprob_gap_max", b.logprob_gap_max},
          {"weight_version", weight_version}};
  if (report.correction.used) {
    row["correction_mean"] = report.correction.mean;
    row["correction_max"] = report.correction.max;
    row["correction_clamped_fraction"] = report.correction.clamped_fraction;
  }
  return row;
}

std::vector<ProgressNumbers::Value> progress_values(const BatchReport& batch) {
  return {{.name = "reward", .value = batch.rlhf_reward, .decimals = 3},
          {.name = "score", .value = batch.score_mean, .decimals = 3},
          {.name = "KL", .value = batch.kl_exact, .decimals = 2},
          {.name = "length", .value = batch.response_tokens_mean, .decimals = 1},
          {.name = "ended", .value = batch.ended_fraction, .percent = true}};
}

std::string too_few_ended(const BatchReport& batch, std::int64_t step, const PpoOptions& options) {
  constexpr double few = 0.5;
  if (!(batch.ended_fraction < few)) {
    return "";
  }
  const double value = options.missing_end_value;
  std::string rule;
  switch (options.missing_end) {
    case MissingEnd::replace:
      rule = fmt::format("the score of the others is replaced by {} (ppo.missing_end = replace)",
                         value);
      break;
    case MissingEnd::subtract:
      rule =
          fmt::format("{} is added to the score of the others (ppo.missing_end = subtract)", value);
      break;
    case MissingEnd::none:
      rule = "the others are scored all the same (ppo.missing_end = none)";
      break;
  }
  return fmt::format(
      "Step {}: {:.0f}% of the summaries ended; {}. If this does not rise, give a larger "
      "data.max_response_tokens, or a policy that has learned to end.",
      step, 100 * batch.ended_fraction, rule);
}

void reduce_phases(PhaseTimer& phases, RankGroup& world, const StepReport& report,
                   const PpoOptions& options, Row& row) {
  // With staleness these phases were of another batch than the report.
  const auto of_next_batch = [&](std::string_view phase) {
    return options.staleness > 0 && (phase == "rollout" || phase == "reward");
  };
  std::array<double, phase_names.size()> seconds{};
  for (std::size_t i = 0; i < phase_names.size(); ++i) {
    seconds[i] = seconds_of(phases, phase_names[i]);
  }
  const std::array<double, phase_names.size()> mine = seconds;
  world.all_reduce(seconds, Reduction::max);
  for (std::size_t i = 0; i < phase_names.size(); ++i) {
    phases.add(phase_names[i], seconds[i] - mine[i]);
  }
  const std::pair<const char*, std::int64_t> tokens[]{{"rollout", report.generated},
                                                      {"reward", report.scored},
                                                      {"experience", report.scored},
                                                      {"update", options.epochs * report.scored}};
  for (const auto& [phase, count] : tokens) {
    if (of_next_batch(phase) || !(seconds_of(phases, phase) > 0)) {
      continue;
    }
    row[fmt::format("{}_tokens_per_second", phase)] =
        static_cast<double>(count) / seconds_of(phases, phase);
  }
}

}  // namespace precis
