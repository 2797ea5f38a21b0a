#include "eval/win.hpp"

#include "base/error.hpp"
#include "eval/words.hpp"
#include "feedback/pair_id.hpp"

namespace precis {

GoldMeans mean_of(const std::vector<GoldScore>& scores, const std::vector<std::uint64_t>& posts) {
  if (scores.empty()) {
    return {};
  }
  const auto mean = [&](const auto& value_of) {
    std::vector<double> values;
    for (const GoldScore& score : scores) {
      values.push_back(static_cast<double>(value_of(score)));
    }
    return mean_over_posts(with_posts(posts, values), Weight::posts).mean;
  };
  return {.gold = mean([](const GoldScore& score) { return score.overall; }),
          .coverage = mean([](const GoldScore& score) { return score.coverage; }),
          .accuracy = mean([](const GoldScore& score) { return score.accuracy; }),
          .coherent = mean([](const GoldScore& score) { return score.coherent; }),
          .length_ok = mean([](const GoldScore& score) { return score.length_ok; }),
          .ended = mean([](const GoldScore& score) { return score.ended; }),
          .words = mean([](const GoldScore& score) { return score.words; }),
          .states_question = mean([](const GoldScore& score) { return score.states_question; }),
          .any_wrong = mean([](const GoldScore& score) { return score.wrong > 0; })};
}

std::vector<std::vector<SampledSummary>> reference_samples(const std::vector<GoldRow>& rows,
                                                           std::size_t count) {
  std::vector<std::vector<SampledSummary>> samples;
  samples.reserve(rows.size());
  for (const GoldRow& row : rows) {
    auto& of_row = samples.emplace_back();
    for (std::size_t i = 0; i < count; ++i) {
      of_row.push_back({.response = " " + row.row.summary,
                        .ended = true,
                        .index = static_cast<std::int64_t>(i)});
    }
  }
  return samples;
}

WinResult compare(const std::vector<GoldRow>& rows,
                  const std::vector<std::vector<SampledSummary>>& a,
                  const std::vector<std::vector<SampledSummary>>& b, const SideNames& names) {
  require(!rows.empty(), "There are no rows to compare summaries of.");
  require(a.size() == rows.size() && b.size() == rows.size(),
          "There are samples of {} and {} rows; expected {}.", a.size(), b.size(), rows.size());
  WinResult result;
  std::vector<PairOutcome> judged;
  std::vector<GoldScore> scores_a;
  std::vector<GoldScore> scores_b;
  std::vector<std::uint64_t> posts;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    require(
        !a[i].empty() && a[i].size() == b[i].size(),
        "The row with id {} has {} samples on one side and {} on the other; sample both with the "
        "same --sampling.n.",
        rows[i].id, a[i].size(), b[i].size());
    const std::uint64_t post = post_number(rows[i].row.post);
    for (std::size_t k = 0; k < a[i].size(); ++k) {
      WinRow row{.row = i,
                 .index = a[i][k].index,
                 .a = a[i][k],
                 .b = b[i][k],
                 .gold_a = gold_score(rows[i], a[i][k]),
                 .gold_b = gold_score(rows[i], b[i][k])};
      judged.push_back({.margin = row.gold_a.overall - row.gold_b.overall,
                        .words_a = word_count(row.a.response),
                        .words_b = word_count(row.b.response),
                        .post = post});
      posts.push_back(post);
      scores_a.push_back(row.gold_a);
      scores_b.push_back(row.gold_b);
      result.rows.push_back(std::move(row));
    }
  }
  static_cast<WinCount&>(result) = count_wins(judged, Weight::posts, names);
  result.a = mean_of(scores_a, posts);
  result.b = mean_of(scores_b, posts);
  return result;
}

}  // namespace precis
