#include "eval/policy_table.hpp"

#include <fmt/format.h>

#include <functional>

#include "base/error.hpp"
#include "eval/score_files.hpp"
#include "feedback/pair_id.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

std::vector<ScoredLine> read_own_log_probs(const std::string& path) {
  std::vector<ScoredLine> totals;
  for_each_row(path, [&](const JsonRow& row) {
    const nlohmann::json* found = find_field(row.value, "logprobs");
    require(found != nullptr && found->is_array(),
            "{}: the field logprobs is missing or not a list; expected a line of `precis sample`.",
            row.where());
    ScoredLine total{.where = row.where(), .id = row.text("id")};
    for (const auto& value : *found) {
      require(value.is_number(), "{}: the field logprobs holds something that is not a number.",
              row.where());
      total.value += value.get<double>();
    }
    totals.push_back(std::move(total));
  });
  return totals;
}

CopyingMeans copying_of(const std::vector<GoldRow>& rows,
                        const std::vector<std::vector<SampledSummary>>& samples) {
  std::vector<Copying> all;
  std::vector<std::uint64_t> posts;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const SampledSummary& sample : samples[i]) {
      all.push_back(copying(sample.response, rows[i].row.post.body));
      posts.push_back(post_number(rows[i].row.post));
    }
  }
  return mean_of(all, posts);
}

}  // namespace

std::vector<PolicyColumn> policy_table(const std::vector<GoldRow>& rows,
                                       const std::vector<JudgedPolicy>& policies) {
  require(!policies.empty() && !policies.front().samples.empty(),
          "There are no samples to make a table of.");
  const auto references = reference_samples(rows, policies.front().samples.front().size());
  std::vector<PolicyColumn> columns;
  for (const JudgedPolicy& policy : policies) {
    const WinResult against_references = compare(rows, policy.samples, references);
    if (columns.empty()) {
      columns.push_back({.name = "references",
                         .means = against_references.b,
                         .copying = copying_of(rows, references)});
    }
    PolicyColumn column{.name = policy.name,
                        .means = against_references.a,
                        .kl = policy.kl,
                        .copying = copying_of(rows, policy.samples),
                        .against_references = against_references};
    if (&policy != &policies.front()) {
      column.against_first = compare(rows, policy.samples, policies.front().samples);
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

double mean_kl(const std::string& samples, const std::string& scores) {
  const auto own = read_own_log_probs(samples);
  const auto other = read_scores(scores, "logprob");
  require_same_lines(samples, own, scores, other);
  std::vector<double> differences;
  for (std::size_t i = 0; i < own.size(); ++i) {
    differences.push_back(own[i].value - other[i].value);
  }
  return exact_mean(differences);
}

std::string to_text(const std::vector<PolicyColumn>& columns) {
  constexpr int name_width = 26;
  constexpr int width = 24;
  std::string text;
  const auto line = [&](const std::string& name,
                        const std::function<std::string(const PolicyColumn&)>& cell) {
    text += fmt::format("{:<{}}", name, name_width);
    for (const PolicyColumn& column : columns) {
      text += fmt::format("{:>{}}", cell(column), width);
    }
    text += '\n';
  };
  const auto mean = [&](const char* name, double GoldMeans::*value, int digits) {
    line(name, [=](const PolicyColumn& column) {
      return fmt::format("{:.{}f}", column.means.*value, digits);
    });
  };
  const auto wins = [&](const std::string& name, std::optional<WinCount> PolicyColumn::*value) {
    line(name, [=](const PolicyColumn& column) -> std::string {
      const auto& found = column.*value;
      return found ? to_text(found->win_rate) : "-";
    });
    line("  at equal length", [=](const PolicyColumn& column) -> std::string {
      const auto& found = column.*value;
      return found && found->equal_length.rate ? to_text(*found->equal_length.rate) : "-";
    });
  };
  line("", [](const PolicyColumn& column) { return column.name; });
  mean("gold score", &GoldMeans::gold, 3);
  mean("coverage", &GoldMeans::coverage, 3);
  mean("accuracy", &GoldMeans::accuracy, 3);
  mean("length, words", &GoldMeans::words, 1);
  line("longest copied run, words",
       [](const PolicyColumn& column) { return to_text(column.copying.longest_run, 1); });
  line("copied pairs of words", [](const PolicyColumn& column) -> std::string {
    const auto& share = column.copying.ngrams[1];
    return share ? to_text(*share, 2) : "-";
  });
  line("KL, nats a summary", [](const PolicyColumn& column) -> std::string {
    return column.kl ? fmt::format("{:.2f}", *column.kl) : "-";
  });
  wins("wins against references", &PolicyColumn::against_references);
  if (columns.size() > 2) {
    wins("wins against " + columns[1].name, &PolicyColumn::against_first);
  }
  return text;
}

}  // namespace precis
