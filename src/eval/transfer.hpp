// A policy's summaries of articles that it was not trained on, beside the articles' first
// sentences.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/tldr.hpp"
#include "eval/copying.hpp"
#include "eval/rouge_means.hpp"
#include "feedback/samples.hpp"

namespace precis {

/// The first three sentences of a text, a line each (`split_sentences`): the usual baseline for
/// news.
[[nodiscard]] std::string lead_3(std::string_view text);

/// One summary of an article.
struct ArticleSummary {
  Rouge rouge;  ///< against the highlights; for rougeLsum each sentence of both is a line
  Copying copying;
  std::int64_t words = 0;
};
[[nodiscard]] ArticleSummary judge_article(const std::string& summary, const SummaryRow& row,
                                           bool stemmer);

/// Means over articles, each of which counts the same.
struct TransferColumn {
  std::string name;
  std::optional<RougeMeans> rouge;  ///< nothing for the highlights themselves
  CopyingMeans copying;
  Mean words;
  std::optional<Rate> ended;  ///< share of samples with the end token
};

struct TransferReport {
  std::vector<ArticleSummary> samples;  ///< one a row
  std::vector<ArticleSummary> leads;
  std::vector<TransferColumn> columns;  ///< samples, lead-3, highlights
};

/// `samples` must have one sample of each row.
[[nodiscard]] TransferReport report_transfer(
    const std::vector<SummaryRow>& rows, const std::vector<std::vector<SampledSummary>>& samples,
    bool stemmer);

[[nodiscard]] std::string to_text(const TransferReport& report);
[[nodiscard]] nlohmann::ordered_json to_json(const TransferReport& report);
[[nodiscard]] nlohmann::ordered_json to_json(const ArticleSummary& summary);

}  // namespace precis
