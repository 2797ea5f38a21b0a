#include "eval/judged_by_others.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "data/comparisons.hpp"
#include "eval/agreement.hpp"
#include "eval/words.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/repeated_judgements.hpp"
#include "io/text_file.hpp"

namespace precis {

RewardedSamples rewarded_references(const std::vector<SummaryRow>& rows,
                                    const std::vector<double>& rewards, std::size_t count) {
  RewardedSamples references;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& of_row = references.samples.emplace_back();
    for (std::size_t k = 0; k < count; ++k) {
      of_row.push_back({.response = " " + rows[i].summary,
                        .ended = true,
                        .index = static_cast<std::int64_t>(k)});
    }
    references.rewards.emplace_back(count, rewards[i]);
  }
  return references;
}

RewardWins compare_rewards(const std::vector<SummaryRow>& rows, const RewardedSamples& a,
                           const RewardedSamples& b) {
  RewardWins result;
  std::vector<PairOutcome> judged;
  std::vector<PostValue> rewards_a, rewards_b, words_a, words_b;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    require(a.samples[i].size() == b.samples[i].size(),
            "The row with id {} has {} samples on one side and {} on the other; sample both with "
            "the same --sampling.n.",
            rows[i].id(), a.samples[i].size(), b.samples[i].size());
    const std::uint64_t post = post_number(rows[i].post);
    for (std::size_t k = 0; k < a.samples[i].size(); ++k) {
      const RewardedPair& pair = result.pairs.emplace_back(
          RewardedPair{i, a.samples[i][k], b.samples[i][k], a.rewards[i][k], b.rewards[i][k]});
      judged.push_back({.margin = pair.reward_a - pair.reward_b,
                        .words_a = word_count(pair.a.response),
                        .words_b = word_count(pair.b.response),
                        .post = post});
      rewards_a.push_back({post, pair.reward_a});
      rewards_b.push_back({post, pair.reward_b});
      words_a.push_back({post, static_cast<double>(judged.back().words_a)});
      words_b.push_back({post, static_cast<double>(judged.back().words_b)});
    }
  }
  result.count = count_wins(judged, Weight::posts);
  result.reward_a = mean_over_posts(rewards_a, Weight::posts);
  result.reward_b = mean_over_posts(rewards_b, Weight::posts);
  result.words_a = mean_over_posts(words_a, Weight::posts);
  result.words_b = mean_over_posts(words_b, Weight::posts);
  return result;
}

PolicyJudgements read_judgements(const std::vector<std::string>& files,
                                 const std::vector<std::string>& policies) {
  std::vector<PolicyJudgement> judgements;
  RepeatedJudgements repeated;
  std::map<std::string, std::int64_t> found;
  for (const std::string& file : expand_files(files)) {
    for_each_row(file, [&](const JsonRow& row) {
      const Comparison comparison = parse_comparison(row);
      ++found[policy_pair(comparison)];
      const bool in_order =
          comparison.policies[0] == policies[0] && comparison.policies[1] == policies[1];
      const bool reversed =
          comparison.policies[1] == policies[0] && comparison.policies[0] == policies[1];
      if ((!in_order && !reversed) || !repeated.is_new(comparison)) {
        return;
      }
      const std::size_t a = in_order ? 0 : 1;
      PolicyJudgement one{.id = comparison.post.id,
                          .pair_id = pair_id(comparison),
                          .worker = comparison.worker,
                          .pair = {}};
      one.pair = {.margin = comparison.choice == static_cast<int>(a) ? 1.0 : -1.0,
                  .words_a = word_count(comparison.summaries[a]),
                  .words_b = word_count(comparison.summaries[1 - a]),
                  .post = post_number(comparison.post)};
      judgements.push_back(std::move(one));
    });
  }
  std::string some;
  for (const auto& [name, count] : found) {
    some += fmt::format("{}{} ({})", some.empty() ? "" : ", ", name, count);
    if (some.size() > 300) {
      some += ", ...";
      break;
    }
  }
  require(!judgements.empty(), "{}: there is no comparison of {} with {}; found: {}.",
          joined(files, ","), policies[0], policies[1], some.empty() ? "no rows" : some);
  return {.judgements = std::move(judgements), .repeated = repeated.count()};
}

}  // namespace precis
