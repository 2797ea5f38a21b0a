#include "eval/transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <functional>
#include <span>

#include "base/text.hpp"
#include "eval/words.hpp"
#include "feedback/pair_id.hpp"

namespace precis {
namespace {

std::string as_lines(std::string_view text) { return joined(split_sentences(text), "\n"); }

TransferColumn column_of(const std::string& name, std::span<const ArticleSummary> summaries,
                         std::span<const std::uint64_t> posts, bool with_rouge) {
  std::vector<Rouge> scores;
  std::vector<Copying> copies;
  std::vector<double> words;
  for (const ArticleSummary& summary : summaries) {
    scores.push_back(summary.rouge);
    copies.push_back(summary.copying);
    words.push_back(static_cast<double>(summary.words));
  }
  TransferColumn column{.name = name,
                        .rouge = {},
                        .copying = mean_of(copies, posts),
                        .words = mean_over_posts(with_posts(posts, words), Weight::posts),
                        .ended = {}};
  if (with_rouge) {
    column.rouge = mean_of(scores, posts, Weight::posts);
  }
  return column;
}

}  // namespace

std::string lead_3(std::string_view text) {
  const auto sentences = split_sentences(text);
  return joined(std::span(sentences).first(std::min<std::size_t>(3, sentences.size())), "\n");
}

ArticleSummary judge_article(const std::string& summary, const SummaryRow& row, bool stemmer) {
  return {.rouge = rouge(as_lines(summary), as_lines(row.summary), stemmer),
          .copying = copying(summary, row.post.body),
          .words = word_count(summary)};
}

TransferReport report_transfer(const std::vector<SummaryRow>& rows,
                               const std::vector<std::vector<SampledSummary>>& samples,
                               bool stemmer) {
  assert(!rows.empty() && samples.size() == rows.size());
  TransferReport report;
  std::vector<ArticleSummary> highlights;
  const std::vector<std::uint64_t> posts = post_numbers(rows);
  std::vector<double> ended;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const SampledSummary& sample = samples[i].front();
    report.samples.push_back(judge_article(sample.response, rows[i], stemmer));
    report.leads.push_back(judge_article(lead_3(rows[i].post.body), rows[i], stemmer));
    highlights.push_back(judge_article(rows[i].summary, rows[i], stemmer));
    ended.push_back(sample.ended ? 1 : 0);
  }
  report.columns = {column_of("samples", report.samples, posts, true),
                    column_of("lead-3", report.leads, posts, true),
                    column_of("highlights", highlights, posts, false)};
  report.columns.front().ended = rate_over_posts(with_posts(posts, ended), Weight::posts);
  return report;
}

std::string to_text(const TransferReport& report) {
  std::string text;
  const auto line = [&](const std::string& name,
                        const std::function<std::string(const TransferColumn&)>& cell) {
    text += fmt::format("{:<28}", name);
    for (const TransferColumn& column : report.columns) {
      text += fmt::format("{:>26}", cell(column));
    }
    text += '\n';
  };
  const auto f_score = [&](const char* name, RougeScoreMeans RougeMeans::*score) {
    line(name, [=](const TransferColumn& column) -> std::string {
      return column.rouge ? to_text(((*column.rouge).*score).f) : "-";
    });
  };
  line("", [](const TransferColumn& column) { return column.name; });
  f_score("ROUGE-1, F", &RougeMeans::rouge1);
  f_score("ROUGE-2, F", &RougeMeans::rouge2);
  f_score("ROUGE-L, F", &RougeMeans::rouge_l);
  f_score("ROUGE-Lsum, F", &RougeMeans::rouge_lsum);
  line("longest copied run, words",
       [](const TransferColumn& column) { return to_text(column.copying.longest_run, 1); });
  line("  as a share of the summary",
       [](const TransferColumn& column) { return to_text(column.copying.longest_share); });
  line("copied pairs of words", [](const TransferColumn& column) -> std::string {
    const auto& share = column.copying.ngrams[1];
    return share ? to_text(*share) : "-";
  });
  line("length, words", [](const TransferColumn& column) { return to_text(column.words, 1); });
  line("share ended", [](const TransferColumn& column) -> std::string {
    return column.ended ? to_text(*column.ended) : "-";
  });
  return text;
}

nlohmann::ordered_json to_json(const TransferReport& report) {
  nlohmann::ordered_json json = {{"articles", report.samples.size()}};
  for (const TransferColumn& column : report.columns) {
    auto& entry = json[column.name];
    if (column.rouge) {
      entry["rouge"] = to_json(*column.rouge);
    }
    entry["copying"] = to_json(column.copying);
    entry["words"] = mean_json(column.words);
    if (column.ended) {
      entry["ended"] = rate_json(*column.ended);
    }
  }
  return json;
}

nlohmann::ordered_json to_json(const ArticleSummary& summary) {
  return {{"rouge", to_json(summary.rouge)},
          {"copying", to_json(summary.copying)},
          {"words", summary.words}};
}

}  // namespace precis
