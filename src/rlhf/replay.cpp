#include "rlhf/replay.hpp"

#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "data/prompt_rows.hpp"
#include "io/jsonl.hpp"
#include "train/input_digests.hpp"

namespace precis {
namespace {

std::int64_t episode_number(const JsonRow& row) {
  const nlohmann::json* number = find_field(row.value, "episode");
  if (number == nullptr || !number->is_number_integer() || *number < 0) {
    throw BadRow(
        fmt::format("{}: the field `episode` of episodes.jsonl must be there, an integer from 0.",
                    row.where()));
  }
  return number->get<std::int64_t>();
}

std::vector<float> rollout_logprobs(const JsonRow& row) {
  const nlohmann::json* numbers = find_field(row.value, "rollout_logprobs");
  if (numbers == nullptr || !numbers->is_array() ||
      !std::all_of(numbers->begin(), numbers->end(),
                   [](const nlohmann::json& number) { return number.is_number(); })) {
    throw BadRow(fmt::format(
        "{}: the field `rollout_logprobs` of episodes.jsonl must be there, a list of numbers.",
        row.where()));
  }
  return numbers->get<std::vector<float>>();
}

}  // namespace

Replay::Replay(const InputFile& file, std::int64_t vocabulary, std::int64_t context)
    : file_(file.name) {
  for_each_row(file, [&](const JsonRow& row) {
    Recorded recorded;
    Episode& episode = recorded.episode;
    episode.number = episode_number(row);
    episode.query = token_ids(row, "prompt_ids", vocabulary);
    episode.response = token_ids(row, "response_ids", vocabulary);
    episode.rollout_logprobs = rollout_logprobs(row);
    const std::string& finish = row.text("finish");
    if (find_field(row.value, "prompt_id") != nullptr) {
      recorded.prompt_id = row.text("prompt_id");
    }
    episode.ended = finish == "eos";
    if (!episode.ended && finish != "length") {
      throw BadRow(
          fmt::format("{}: `finish` is {}; it is either eos or length.", row.where(), finish));
    }
    if (episode.query.empty() || episode.response.empty() ||
        episode.rollout_logprobs.size() != episode.response.size()) {
      throw BadRow(
          fmt::format("{}: prompt_ids, response_ids and rollout_logprobs must not be empty, and "
                      "the last two must have the same length.",
                      row.where()));
    }
    if (episode.sequence().size() > context) {
      throw BadRow(fmt::format("{}: prompt and response are {} tokens; the models' context is {}.",
                               row.where(), episode.sequence().size(), context));
    }
    const std::int64_t number = episode.number;
    if (!episodes_.emplace(number, std::move(recorded)).second) {
      throw BadRow(fmt::format("{}: an earlier row is episode {} as well.", row.where(), number));
    }
  });
  RowDigest digest;
  for (auto& [number, recorded] : episodes_) {
    digest.add(number);
    digest.add(recorded.episode.query);
    digest.add(recorded.episode.response);
    digest.add(std::int64_t{recorded.episode.ended});
    recorded.digest = digest.text();
  }
}

void Replay::require_episodes(std::int64_t first, std::int64_t last) const {
  for (std::int64_t number = first; number < last; ++number) {
    require(episodes_.contains(number),
            "{} has no episode {}; this run replays the episodes {} to {}. Was it written with "
            "ppo.log_episodes and ppo.batch as large, by as many steps?",
            file_, number, first, last - 1);
  }
}

const Episode& Replay::at(std::int64_t number) const { return episodes_.at(number).episode; }

std::string Replay::digest(std::int64_t end) const {
  const auto next = episodes_.lower_bound(end);
  return next == episodes_.begin() ? "" : std::prev(next)->second.digest;
}

const std::string& Replay::prompt_id_of(std::int64_t number) const {
  return episodes_.at(number).prompt_id;
}

}  // namespace precis
