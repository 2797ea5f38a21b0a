#include "rlhf/replay.hpp"

#include "base/error.hpp"
#include "io/jsonl.hpp"
#include "train/input_digests.hpp"

namespace precis {
namespace {

template <class T>
void read_field(const JsonRow& row, const char* name, T& value) {
  const nlohmann::json* field = find_field(row.value, name);
  if (field == nullptr) {
    throw BadRow(
        fmt::format("{}: the row lacks the field `{}` of episodes.jsonl.", row.where(), name));
  }
  try {
    value = field->get<T>();
  } catch (const nlohmann::json::exception&) {
    throw BadRow(fmt::format("{}: the field `{}` is of the wrong type.", row.where(), name));
  }
}

}  // namespace

Replay::Replay(const std::string& file, std::int64_t vocabulary, std::int64_t context)
    : file_(file) {
  for_each_row(file, [&](const JsonRow& row) {
    Recorded recorded;
    Episode& episode = recorded.episode;
    std::string finish;
    read_field(row, "episode", episode.number);
    read_field(row, "prompt_ids", episode.query);
    read_field(row, "response_ids", episode.response);
    read_field(row, "rollout_logprobs", episode.rollout_logprobs);
    read_field(row, "finish", finish);
    if (find_field(row.value, "prompt_id") != nullptr) {
      read_field(row, "prompt_id", recorded.prompt_id);
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
    for (const auto* ids : {&episode.query, &episode.response}) {
      for (const std::int32_t id : *ids) {
        if (id < 0 || id >= vocabulary) {
          throw BadRow(fmt::format("{}: the models have no token {}; they have {} tokens.",
                                   row.where(), id, vocabulary));
        }
      }
    }
    if (episode.sequence().size() > context) {
      throw BadRow(fmt::format("{}: prompt and response are {} tokens; the models' context is {}.",
                               row.where(), episode.sequence().size(), context));
    }
    const std::int64_t number = episode.number;
    episodes_[number] = std::move(recorded);
  });
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

std::string Replay::digest() const {
  TokenDigest digest;
  for (const auto& [number, recorded] : episodes_) {
    digest.add(number);
    digest.add(recorded.episode.query);
    digest.add(recorded.episode.response);
    digest.add(std::int64_t{recorded.episode.ended});
  }
  return digest.text();
}

const std::string& Replay::prompt_id_of(std::int64_t number) const {
  return episodes_.at(number).prompt_id;
}

}  // namespace precis
