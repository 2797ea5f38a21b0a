#include "eval/policy_table.hpp"

#include <fmt/format.h>

#include <functional>

#include "base/error.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct TotalLogProb {
  std::string where;
  std::string id;
  double value = 0;
};

double number(const nlohmann::json& value, const JsonRow& row, const char* field) {
  require(value.is_number(), "{}: the field {} holds something that is not a number.", row.where(),
          field);
  return value.get<double>();
}

const nlohmann::json& field(const JsonRow& row, const char* name, const char* command) {
  const nlohmann::json* found = find_field(row.value, name);
  require(found != nullptr, "{}: the field {} is missing; expected a line of `precis {}`.",
          row.where(), name, command);
  return *found;
}

std::vector<TotalLogProb> read_samples_log_probs(const std::string& path) {
  std::vector<TotalLogProb> totals;
  for_each_row(path, [&](const JsonRow& row) {
    TotalLogProb total{.where = row.where(), .id = row.text("id")};
    for (const auto& value : field(row, "logprobs", "sample")) {
      total.value += number(value, row, "logprobs");
    }
    totals.push_back(std::move(total));
  });
  return totals;
}

std::vector<TotalLogProb> read_scores(const std::string& path) {
  std::vector<TotalLogProb> totals;
  for_each_row(path, [&](const JsonRow& row) {
    totals.push_back({.where = row.where(),
                      .id = row.text("id"),
                      .value = number(field(row, "logprob", "score"), row, "logprob")});
  });
  return totals;
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
      columns.push_back({.name = "references", .means = against_references.b});
    }
    PolicyColumn column{.name = policy.name,
                        .means = against_references.a,
                        .kl = policy.kl,
                        .against_references = against_references.win_rate};
    if (&policy != &policies.front()) {
      column.against_first = compare(rows, policy.samples, policies.front().samples).win_rate;
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

double mean_kl(const std::string& samples, const std::string& scores) {
  const auto own = read_samples_log_probs(samples);
  const auto other = read_scores(scores);
  require(own.size() == other.size() && !own.empty(),
          "{} has {} lines and {} has {}; expected the scores of these samples, line by line.",
          samples, own.size(), scores, other.size());
  double sum = 0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    require(
        own[i].id == other[i].id,
        "{} is of the row with id {} and {} of the one with id {}; expected the scores of these "
        "samples, line by line.",
        own[i].where, own[i].id, other[i].where, other[i].id);
    sum += own[i].value - other[i].value;
  }
  return sum / static_cast<double>(own.size());
}

std::string to_text(const std::vector<PolicyColumn>& columns) {
  constexpr int name_width = 26;
  constexpr int width = 22;
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
  const auto rate = [&](const std::string& name, std::optional<Rate> PolicyColumn::*value) {
    line(name, [=](const PolicyColumn& column) -> std::string {
      const auto& found = column.*value;
      return found ? fmt::format("{:.3f} ({:.3f}-{:.3f})", found->rate, found->low, found->high)
                   : "-";
    });
  };
  line("", [](const PolicyColumn& column) { return column.name; });
  mean("gold score", &GoldMeans::gold, 3);
  mean("coverage", &GoldMeans::coverage, 3);
  mean("accuracy", &GoldMeans::accuracy, 3);
  mean("length, words", &GoldMeans::words, 1);
  line("KL, nats a summary", [](const PolicyColumn& column) -> std::string {
    return column.kl ? fmt::format("{:.2f}", *column.kl) : "-";
  });
  rate("wins against references", &PolicyColumn::against_references);
  if (columns.size() > 2) {
    rate("wins against " + columns[1].name, &PolicyColumn::against_first);
  }
  return text;
}

}  // namespace precis
