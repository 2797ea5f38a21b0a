#include "rlhf/rollout.hpp"

#include <map>

#include "rlhf/dealing.hpp"

namespace precis {

Rollout::Rollout(const Setup& setup)
    : setup_(setup), order_(static_cast<std::int64_t>(setup.prompts.size()), setup.seed) {}

std::vector<std::int64_t> Rollout::mine_of(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> costs;
  for (std::int64_t number = first; number < last; ++number) {
    const auto row = static_cast<std::size_t>(order_.row_of(number));
    costs.push_back(
        expected_cost(std::ssize(setup_.prompts[row].query()), setup_.rule.max_new_tokens));
  }
  std::vector<std::int64_t> mine =
      deal(costs, setup_.copies)[static_cast<std::size_t>(setup_.copy)];
  for (std::int64_t& place : mine) {
    place += first;
  }
  return mine;
}

void Rollout::generate(std::pair<std::int64_t, std::int64_t> numbers, const WeightVersion& weights,
                       const std::function<void(Episode&&)>& finished) {
  const auto [first, last] = numbers;
  std::vector<Prompt> prompts;
  std::map<std::int64_t, std::int64_t> rows;  // by episode
  for (const std::int64_t number : mine_of(first, last)) {
    const std::int64_t row = order_.row_of(number);
    if (setup_.replay != nullptr) {
      Episode episode = setup_.replay->at(number);
      episode.prompt = row;
      episode.weights = weights;
      finished(std::move(episode));
      continue;
    }
    rows[number] = row;
    const auto query = setup_.prompts[static_cast<std::size_t>(row)].query();
    prompts.push_back({{query.begin(), query.end()}, {number}});
  }
  setup_.generator->run(
      setup_.policy, prompts, setup_.rule,
      [&](Generated&& generated) {
        Episode episode;
        episode.number = generated.episode;
        episode.prompt = rows.at(generated.episode);
        const auto query = setup_.prompts[static_cast<std::size_t>(episode.prompt)].query();
        episode.query.assign(query.begin(), query.end());
        episode.response = std::move(generated.response);
        episode.ended = generated.ended;
        episode.rollout_logprobs = std::move(generated.logprobs);
        episode.weights = weights;
        finished(std::move(episode));
      },
      setup_.between_steps);
}

}  // namespace precis
