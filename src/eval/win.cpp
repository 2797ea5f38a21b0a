#include "eval/win.hpp"

#include "base/error.hpp"
#include "eval/words.hpp"

namespace precis {

GoldMeans mean_of(const std::vector<GoldScore>& scores) {
  GoldMeans means;
  if (scores.empty()) {
    return means;
  }
  for (const GoldScore& score : scores) {
    means.gold += score.overall;
    means.coverage += score.coverage;
    means.accuracy += score.accuracy;
    means.coherent += score.coherent ? 1 : 0;
    means.length_ok += score.length_ok ? 1 : 0;
    means.ended += score.ended ? 1 : 0;
    means.words += score.words;
    means.states_question += score.states_question ? 1 : 0;
    means.any_wrong += score.wrong > 0 ? 1 : 0;
  }
  for (double* mean :
       {&means.gold, &means.coverage, &means.accuracy, &means.coherent, &means.length_ok,
        &means.ended, &means.words, &means.states_question, &means.any_wrong}) {
    *mean /= static_cast<double>(scores.size());
  }
  return means;
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
                  const std::vector<std::vector<SampledSummary>>& b) {
  require(!rows.empty(), "There are no rows to compare summaries of.");
  require(a.size() == rows.size() && b.size() == rows.size(),
          "There are samples of {} and {} rows; expected {}.", a.size(), b.size(), rows.size());
  WinResult result;
  std::vector<PairOutcome> judged;
  std::vector<GoldScore> scores_a;
  std::vector<GoldScore> scores_b;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    require(
        !a[i].empty() && a[i].size() == b[i].size(),
        "The row with id {} has {} samples on one side and {} on the other; sample both with the "
        "same --sampling.n.",
        rows[i].id, a[i].size(), b[i].size());
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
                        .group = i});
      scores_a.push_back(row.gold_a);
      scores_b.push_back(row.gold_b);
      result.rows.push_back(std::move(row));
    }
  }
  static_cast<WinCount&>(result) = count_wins(judged);
  result.a = mean_of(scores_a);
  result.b = mean_of(scores_b);
  return result;
}

}  // namespace precis
