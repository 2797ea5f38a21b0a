#include "feedback/judged_pairs.hpp"

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "base/text.hpp"
#include "feedback/gold_of.hpp"
#include "feedback/pair_id.hpp"
#include "io/text_file.hpp"

namespace precis {
namespace {

// The place of `name` in `names`, where it is added if it is new.
std::size_t place_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  const auto place = static_cast<std::size_t>(found - names.begin());
  if (found == names.end()) {
    names.push_back(name);
  }
  return place;
}

std::optional<int> higher(double first, double second) {
  return first == second ? std::nullopt : std::optional(second > first ? 1 : 0);
}

/// Adds comparisons and knows the pairs that it has.
class Joiner {
 public:
  explicit Joiner(JudgedPairs& to) : to_(to) {}

  void add(const Comparison& of) {
    const auto first = trimmed(of.summaries[0]);
    const auto second = trimmed(of.summaries[1]);
    if (first == second) {
      ++to_.identical;
      return;
    }
    const bool swapped = first > second;
    PairVote vote;
    vote.pair = pair_of(of, swapped);
    vote.labeler = place_of(to_.labelers, of.worker);
    vote.batch = place_of(to_.batches, of.batch);
    vote.choice = swapped ? 1 - of.choice : of.choice;
    vote.first_shown = of.choice == 0;
    vote.confidence = of.confidence;
    to_.repeats.resize(to_.labelers.size());
    auto& votes = to_.pairs[vote.pair].votes;
    const auto earlier = std::find_if(votes.begin(), votes.end(), [&](std::size_t i) {
      return to_.votes[i].labeler == vote.labeler;
    });
    if (earlier != votes.end()) {
      to_.repeats[vote.labeler].add(to_.votes[*earlier].choice == vote.choice);
      return;
    }
    votes.push_back(to_.votes.size());
    to_.votes.push_back(vote);
  }

 private:
  std::size_t pair_of(const Comparison& of, bool swapped) {
    const auto [place, is_new] = places_.emplace(pair_id(of), to_.pairs.size());
    if (is_new) {
      const std::size_t k = swapped ? 1 : 0;
      JudgedPair pair{.id = place->first,
                      .post = of.post,
                      .texts = {of.summaries[k], of.summaries[1 - k]},
                      .policies = {of.policies[k], of.policies[1 - k]},
                      .gold = {},
                      .reward = {},
                      .votes = {}};
      if (const auto gold = gold_of(of)) {
        pair.gold = higher((*gold)[k].overall, (*gold)[1 - k].overall);
      }
      to_.pairs.push_back(std::move(pair));
    }
    return place->second;
  }

  JudgedPairs& to_;
  std::unordered_map<std::string, std::size_t> places_;
};

struct RewardRow {
  std::string pair;
  std::array<double, 2> rewards{};  // in alphabetical order of the texts
};

RewardRow parse_rewards(const JsonRow& row) {
  const auto* const rewards = find_field(row.value, "rewards");
  const auto* const swapped = find_field(row.value, "swapped");
  const auto* const pair = find_field(row.value, "pair");
  const bool whole = pair != nullptr && pair->is_string() && swapped != nullptr &&
                     swapped->is_boolean() && rewards != nullptr && rewards->is_array() &&
                     rewards->size() == 2 && (*rewards)[0].is_number() && (*rewards)[1].is_number();
  require(whole,
          "{}: the fields `pair`, `rewards` (two numbers) and `swapped` were expected, as `precis "
          "evaluate reward --output` writes them.",
          row.where());
  const std::size_t first = *swapped ? 1 : 0;
  return {.pair = *pair, .rewards = {(*rewards)[first], (*rewards)[1 - first]}};
}

}  // namespace

JudgedPairs join_comparisons(const std::vector<Comparison>& comparisons) {
  JudgedPairs pairs;
  Joiner joiner(pairs);
  for (const Comparison& comparison : comparisons) {
    joiner.add(comparison);
  }
  return pairs;
}

JudgedPairs read_judged_pairs(const std::vector<std::string>& files) {
  JudgedPairs pairs;
  Joiner joiner(pairs);
  for (const std::string& file : expand_files(files)) {
    for_each_row(file, [&](const JsonRow& row) { joiner.add(parse_comparison(row)); });
  }
  require(!pairs.votes.empty(), "{}: there is no comparison of two different texts.",
          joined(files, ","));
  return pairs;
}

std::int64_t read_pair_rewards(const std::string& file, JudgedPairs& pairs) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < pairs.pairs.size(); ++i) {
    places.emplace(pairs.pairs[i].id, i);
  }
  std::vector<bool> found(pairs.pairs.size());
  for_each_row(file, [&](const JsonRow& json) {
    const RewardRow row = parse_rewards(json);
    const auto place = places.find(row.pair);
    if (place != places.end()) {
      pairs.pairs[place->second].reward = higher(row.rewards[0], row.rewards[1]);
      found[place->second] = true;
    }
  });
  const auto count = std::count(found.begin(), found.end(), true);
  require(count > 0,
          "{}: none of its pairs is among the {} that were judged; expected the rewards of these "
          "comparisons by `precis evaluate reward --output`.",
          file, with_thousands(static_cast<std::int64_t>(found.size())));
  return count;
}

int sureness(const PairVote& vote) { return vote.confidence ? std::abs(*vote.confidence - 5) : 0; }

std::string shown_name(const std::string& labeler) {
  return labeler.empty() ? "(no name)" : labeler;
}

}  // namespace precis
