#include "rlhf/episode_rows.hpp"

#include <algorithm>

#include "io/jsonl.hpp"
#include "rlhf/learner.hpp"

namespace precis {

Row episode_row(const Experience& e, std::int64_t step, const std::string& prompt_id,
                double kl_coefficient, const std::vector<std::int64_t>& minibatch) {
  return {{"step", step},
          {"episode", e.episode.number},
          {"prompt_id", prompt_id},
          {"prompt_ids", e.episode.query},
          {"response_ids", e.episode.response},
          {"finish", e.episode.ended ? "eos" : "length"},
          {"rollout_logprobs", float_array(e.episode.rollout_logprobs)},
          {"logprobs", float_array(e.logprobs)},
          {"reference_logprobs", float_array(e.reference_logprobs)},
          {"values", float_array(e.values)},
          {"score_raw", shortest(e.episode.score_raw)},
          {"score", shortest(e.score)},
          {"kl_coefficient", kl_coefficient},
          {"rewards", float_array(e.rewards)},
          {"advantages", float_array(e.advantages)},
          {"returns", float_array(e.returns)},
          {"weight_version", e.episode.weights.number},
          {"minibatch", minibatch}};
}

std::vector<Row> episode_rows(std::span<const Experience> batch, std::int64_t step,
                              std::uint64_t seed, double kl_coefficient, const PpoOptions& options,
                              const std::function<std::string(const Episode&)>& prompt_id) {
  const auto logged = static_cast<std::size_t>(std::min(options.log_episodes, options.batch));
  std::vector<std::vector<std::int64_t>> mini_batches(logged);  // of each episode, by epoch
  for (std::int64_t epoch = 0; logged > 0 && epoch < options.epochs; ++epoch) {
    const auto of_epoch = mini_batches_of(options.batch, options.mini_batches, seed, step, epoch);
    for (std::size_t i = 0; i < logged; ++i) {
      mini_batches[i].push_back(of_epoch[i]);
    }
  }
  std::vector<Row> rows;
  for (std::size_t i = 0; i < logged; ++i) {
    rows.push_back(
        episode_row(batch[i], step, prompt_id(batch[i].episode), kl_coefficient, mini_batches[i]));
  }
  return rows;
}

}  // namespace precis
