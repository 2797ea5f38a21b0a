#include "feedback/judged_pairs.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>

#include "base/text.hpp"
#include "feedback/pair_id.hpp"
#include "io/text_file.hpp"
#include "synthetic/gold_scores.hpp"

namespace precis {
namespace {

/// Whether a comes before b, runs of digits by their value: "week-9" before "week-10".
bool comes_before(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) {
        return a[i] < b[j];
      }
      ++i;
      ++j;
      continue;
    }
    const auto number = [&](const std::string& text, std::size_t& at) {
      const std::size_t begin = std::min(text.find_first_not_of('0', at), text.size());
      at = begin;
      while (at < text.size() && digit(text[at])) {
        ++at;
      }
      return text.substr(begin, at - begin);
    };
    const std::string first = number(a, i);
    const std::string second = number(b, j);
    if (first.size() != second.size() || first != second) {
      return first.size() != second.size() ? first.size() < second.size() : first < second;
    }
  }
  const bool a_ended = i == a.size();
  const bool b_ended = j == b.size();
  return a_ended == b_ended ? a < b : a_ended;  // "1" and "01" are two names
}

std::size_t place_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::optional<int> higher(double first, double second) {
  return first == second ? std::nullopt : std::optional(second > first ? 1 : 0);
}

/// A comparison of two different texts, as the pair sees it.
struct Judgement {
  const Comparison* comparison = nullptr;
  std::uint64_t pair = 0;
  bool swapped = false;  ///< the text that comes first in alphabetical order was shown second
  int choice = 0;        ///< as in PairVote
  std::size_t batch = 0;

  /// What can tell a second judgement from a copy of the first, whatever was chosen: if the choice
  /// were a part of it, only opposite second judgements would be seen.
  [[nodiscard]] auto occasion() const { return std::tuple(batch, swapped); }
  /// What two judgements of one labeler have in common if they cannot be told apart.
  [[nodiscard]] auto same() const {
    return std::tuple(choice, batch, swapped, comparison->confidence.value_or(0));
  }
  /// A pair's texts, policies and notes are taken from one row, the same in any order of the rows.
  [[nodiscard]] auto form() const {
    const std::size_t k = swapped ? 1 : 0;
    return std::tie(comparison->post.id, comparison->summaries[k], comparison->summaries[1 - k],
                    comparison->policies[k], comparison->policies[1 - k], comparison->notes[k],
                    comparison->notes[1 - k]);
  }
};

bool comes_first(const Judgement& a, const Judgement& b) {
  if (a.pair != b.pair) {
    return a.pair < b.pair;
  }
  if (a.comparison->worker != b.comparison->worker) {
    return a.comparison->worker < b.comparison->worker;
  }
  return a.same() != b.same() ? a.same() < b.same() : a.form() < b.form();
}

void add_vote(JudgedPairs& to, const Judgement& vote, std::size_t labeler) {
  to.pairs.back().votes.push_back(to.votes.size());
  to.votes.push_back({.pair = to.pairs.size() - 1,
                      .labeler = labeler,
                      .batch = vote.batch,
                      .choice = vote.choice,
                      .first_shown = vote.comparison->choice == 0,
                      .confidence = vote.comparison->confidence});
}

/// One labeler's judgements of one pair, sorted.
void add_labeler(JudgedPairs& to, std::span<const Judgement> own, std::size_t labeler) {
  std::vector<Judgement> different;  // in choice or occasion
  for (const Judgement& one : own) {
    if (different.empty() || one.choice != different.back().choice ||
        one.occasion() != different.back().occasion()) {
      different.push_back(one);
    }
  }
  const std::uint64_t post = to.pairs.back().post_number;
  for (std::size_t i = 0; i < different.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (different[i].occasion() != different[j].occasion()) {
        to.repeats[labeler].add(different[i].choice == different[j].choice, post);
      }
    }
  }
  const bool both = own.front().choice != own.back().choice;
  to.repeated += static_cast<std::int64_t>(own.size()) - (both ? 2 : 1);
  if (both) {
    ++to.contradicted[labeler];
  } else {
    add_vote(to, own.front(), labeler);
  }
}

/// Judgements of one pair without a name, sorted. They may be of several people, who may contradict
/// each other: each different one is a vote.
void add_nameless(JudgedPairs& to, std::span<const Judgement> own, std::size_t labeler) {
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (i > 0 && own[i].same() == own[i - 1].same() && own[i].form() == own[i - 1].form()) {
      ++to.repeated;
    } else {
      add_vote(to, own[i], labeler);
    }
  }
}

JudgedPair pair_of(std::span<const Judgement> own) {
  const Judgement& shown = *std::ranges::min_element(
      own, [](const Judgement& a, const Judgement& b) { return a.form() < b.form(); });
  const Comparison& comparison = *shown.comparison;
  const std::size_t k = shown.swapped ? 1 : 0;
  JudgedPair pair{.id = pair_id(comparison),
                  .post = comparison.post,
                  .post_number = post_number(comparison.post),
                  .texts = {comparison.summaries[k], comparison.summaries[1 - k]},
                  .policies = {comparison.policies[k], comparison.policies[1 - k]},
                  .gold = {},
                  .reward = {},
                  .votes = {}};
  if (const auto gold = gold_scores(comparison)) {
    pair.gold = higher((*gold)[k].overall, (*gold)[1 - k].overall);
  }
  return pair;
}

/// The first of `judgements` that belong together.
template <class Key>
std::span<const Judgement> first_group(std::span<const Judgement> judgements, const Key& key) {
  std::size_t end = 1;
  while (end < judgements.size() && key(judgements[end]) == key(judgements[0])) {
    ++end;
  }
  return judgements.first(end);
}

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
  std::vector<Judgement> judgements;
  std::set<std::string> labelers;
  std::set<std::string, decltype(&comes_before)> batches(&comes_before);
  for (const Comparison& comparison : comparisons) {
    const auto first = trimmed(comparison.summaries[0]);
    const auto second = trimmed(comparison.summaries[1]);
    if (first == second) {
      ++pairs.identical;
      continue;
    }
    const bool swapped = first > second;
    judgements.push_back({.comparison = &comparison,
                          .pair = pair_number(comparison),
                          .swapped = swapped,
                          .choice = swapped ? 1 - comparison.choice : comparison.choice});
    labelers.insert(comparison.worker);
    batches.insert(comparison.batch);
  }
  pairs.labelers.assign(labelers.begin(), labelers.end());
  pairs.batches.assign(batches.begin(), batches.end());
  pairs.repeats.resize(pairs.labelers.size());
  pairs.contradicted.resize(pairs.labelers.size());
  for (Judgement& judgement : judgements) {
    judgement.batch = place_of(pairs.batches, judgement.comparison->batch);
  }
  std::ranges::sort(judgements, comes_first);
  for (std::span<const Judgement> rest(judgements); !rest.empty();) {
    const auto own = first_group(rest, [](const Judgement& judgement) { return judgement.pair; });
    rest = rest.subspan(own.size());
    pairs.pairs.push_back(pair_of(own));
    for (auto others = own; !others.empty();) {
      const auto by_one = first_group(others, [](const Judgement& judgement) -> const std::string& {
        return judgement.comparison->worker;
      });
      others = others.subspan(by_one.size());
      const std::string& worker = by_one.front().comparison->worker;
      (worker.empty() ? add_nameless : add_labeler)(pairs, by_one,
                                                    place_of(pairs.labelers, worker));
    }
    if (pairs.pairs.back().votes.empty()) {
      pairs.pairs.pop_back();
    }
  }
  return pairs;
}

JudgedPairs read_judged_pairs(const std::vector<std::string>& files) {
  std::vector<Comparison> comparisons;
  for (const std::string& file : expand_files(files)) {
    for_each_row(file, [&](const JsonRow& row) { comparisons.push_back(parse_comparison(row)); });
  }
  JudgedPairs pairs = join_comparisons(comparisons);
  require(!pairs.votes.empty(), "{}: there is no comparison of two different texts{}.",
          joined(files, ","),
          pairs.labelers.empty() ? "" : " that its labeler has not judged both ways");
  return pairs;
}

std::int64_t read_pair_rewards(const std::string& file, JudgedPairs& pairs) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < pairs.pairs.size(); ++i) {
    places.emplace(pairs.pairs[i].id, i);
  }
  std::vector<bool> found(pairs.pairs.size());
  std::vector<bool> contradicted(pairs.pairs.size());
  for_each_row(file, [&](const JsonRow& json) {
    const RewardRow row = parse_rewards(json);
    const auto place = places.find(row.pair);
    if (place != places.end()) {
      const std::size_t i = place->second;
      const auto preferred = higher(row.rewards[0], row.rewards[1]);
      contradicted[i] = contradicted[i] || (found[i] && pairs.pairs[i].reward != preferred);
      pairs.pairs[i].reward = contradicted[i] ? std::nullopt : preferred;
      found[i] = true;
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
