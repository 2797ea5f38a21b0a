#include "eval/policy_table.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "eval/score_files.hpp"
#include "feedback/pair_id.hpp"
#include "io/row_id.hpp"

namespace precis {
namespace {

std::vector<ScoredLine> read_own_log_probs(const std::string& path) {
  std::vector<ScoredLine> totals;
  for_each_row(path, [&](const JsonRow& row) {
    const nlohmann::json* found = find_field(row.value, "logprobs");
    require(found != nullptr && found->is_array(),
            "{}: the field logprobs is missing or not a list; expected a line of `precis sample`.",
            row.where());
    ScoredLine total{.where = row.where(), .id = required_id(row)};
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

nlohmann::ordered_json column_json(const PolicyColumn& column) {
  nlohmann::ordered_json json = {{"name", column.name},
                                 {"gold", column.means.gold},
                                 {"coverage", column.means.coverage},
                                 {"accuracy", column.means.accuracy},
                                 {"words", column.means.words},
                                 {"copying", to_json(column.copying)}};
  if (column.kl) {
    json["kl"] = *column.kl;
  }
  if (column.against_references) {
    json["win_rate_references"] = rate_json(column.against_references->win_rate);
    json["equal_length_references"] = to_json(column.against_references->equal_length);
  }
  if (column.against_first) {
    json["win_rate_first"] = rate_json(column.against_first->win_rate);
    json["equal_length_first"] = to_json(column.against_first->equal_length);
  }
  return json;
}

}  // namespace

std::vector<PolicyColumn> policy_table(const std::vector<GoldRow>& rows,
                                       const std::vector<JudgedPolicy>& policies) {
  require(!policies.empty() && !policies.front().samples.empty(),
          "There are no samples to make a table of.");
  const auto references = reference_samples(rows, policies.front().samples.front().size());
  std::vector<PolicyColumn> columns;
  for (const JudgedPolicy& policy : policies) {
    const WinResult against_references =
        compare(rows, policy.samples, references, {.a = policy.name, .b = "the references"});
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
      column.against_first = compare(rows, policy.samples, policies.front().samples,
                                     {.a = policy.name, .b = policies.front().name});
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

nlohmann::ordered_json to_json(const std::vector<PolicyColumn>& columns) {
  auto policies = nlohmann::ordered_json::array();
  for (const PolicyColumn& column : columns) {
    policies.push_back(column_json(column));
  }
  return policies;
}

std::vector<PolicyQuantity> policy_quantities(const std::string& first) {
  const std::string equal = "  at equal length";
  return {{"gold score", "/gold", 3},
          {"coverage", "/coverage", 3},
          {"accuracy", "/accuracy", 3},
          {"length, words", "/words", 1},
          {"longest copied run, words", "/copying/longest_run", 1},
          {"copied pairs of words", "/copying/ngrams/1", 2},
          {"KL, nats per summary", "/kl", 2},
          {"wins against references", "/win_rate_references", 3},
          {equal, "/equal_length_references", 3},
          {"wins against " + first, "/win_rate_first", 3},
          {equal, "/equal_length_first", 3}};
}

std::string cell_text(const nlohmann::json& policy, const PolicyQuantity& quantity) {
  const nlohmann::json::json_pointer place(quantity.field);
  if (!policy.is_structured() || !policy.contains(place)) {
    return std::string(no_number);
  }
  const nlohmann::json& found = policy.at(place);
  const auto number = [](const nlohmann::json& object, const char* field) {
    const nlohmann::json* value = object.is_object() ? find_field(object, field) : nullptr;
    return value != nullptr && value->is_number() ? value->get<double>() : std::nan("");
  };
  const double value = found.is_number()        ? found.get<double>()
                       : found.contains("rate") ? number(found, "rate")
                                                : number(found, "mean");
  // Larger numbers are no quantity of the table, and would be printed with all their digits.
  const auto is_shown = [](double bound) { return std::abs(bound) < 1e12; };
  if (!is_shown(value)) {
    return std::string(no_number);
  }
  const double low = number(found, "low");
  const double high = number(found, "high");
  return is_shown(low) && is_shown(high) ? to_text(Mean{value, low, high}, quantity.digits)
                                         : fmt::format("{:.{}f}", value, quantity.digits);
}

std::string to_text(const std::vector<PolicyColumn>& columns) {
  constexpr int name_width = 26;
  constexpr int width = 24;
  std::string text = std::string(name_width, ' ');
  for (const PolicyColumn& column : columns) {
    text += fmt::format("{:>{}}", column.name, width);
  }
  text += '\n';
  const nlohmann::json policies = to_json(columns);
  for (const PolicyQuantity& quantity :
       policy_quantities(columns.size() > 1 ? columns[1].name : "")) {
    if (columns.size() < 3 && quantity.field.ends_with("_first")) {
      continue;  // there is one policy
    }
    text += fmt::format("{:<{}}", quantity.name, name_width);
    for (const nlohmann::json& policy : policies) {
      text += fmt::format("{:>{}}", cell_text(policy, quantity), width);
    }
    text += '\n';
  }
  return text;
}

}  // namespace precis
