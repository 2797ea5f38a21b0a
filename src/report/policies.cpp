#include "report/policies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/estimates.hpp"
#include "eval/policy_table.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/table.hpp"
#include "report/fields.hpp"
#include "report/files.hpp"

namespace precis {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_policies = 40;

std::string note(const std::string& text) {
  return fmt::format("<p class=\"note\">{}</p>\n", escaped(text));
}

/// "2,000 posts, one sample per policy and post at temperature 0, judged by the gold labeler; ..."
std::string heading(const Json& table) {
  std::string text = number_text(number_in(table, "posts").value_or(0)) + " posts, ";
  if (const auto samples = number_in(table, "samples")) {
    text += *samples == 1 ? "one sample" : number_text(*samples) + " samples";
    text += " per policy and post, ";
  }
  const std::string at = temperature_text(table);
  text += at.empty() ? "sampled at a temperature that the file does not say, "
                     : fmt::format("sampled at {}, ", at);
  return text +
         "judged by the gold labeler; intervals of 95% over posts, too narrow for a rate near 0 or "
         "1 where posts x rate, or posts x (1 - rate), is below 5.";
}

/// The policy that others are compared with; the references stand before it.
std::string first_policy(const NamedEntries& entries) {
  return entries.size() > 1 ? entries[1].first : "";
}

/// Why a number is missing, one line each.
std::string reasons_html(const NamedEntries& entries) {
  const std::string first = first_policy(entries);
  std::string html;
  for (const auto& [name, entry] : entries) {
    for (const auto& [key, value] : entry.items()) {
      if (const std::string reason = text_in(value, "reason"); !reason.empty()) {
        const bool to_first = key == "equal_length_first" && !first.empty();
        html += note(fmt::format(
            "{}, {}: {}.", name,
            to_first ? fmt::format("wins against {} at equal length", first) : readable(key),
            reason));
      }
    }
  }
  return html;
}

/// The terminal's lines, as far as a policy has them. Takes what it shows out of the entries.
Table terminal_table(NamedEntries& entries) {
  Table table{.columns = {{""}}, .rows = {}};
  for (const auto& [name, entry] : entries) {
    table.columns.push_back({name, true});
  }
  const std::string first = first_policy(entries);
  for (const PolicyQuantity& quantity : policy_quantities(first)) {
    // What is indented in the terminal is so here too.
    std::vector<std::string> row = {
        quantity.name.starts_with("  ") ? "\u00a0\u00a0" + quantity.name.substr(2) : quantity.name};
    bool any = false;
    for (const auto& [name, entry] : entries) {
      row.push_back(cell_text(entry, quantity));
      any = any || entry.contains(Json::json_pointer(quantity.field));
    }
    if (any) {
      table.rows.push_back(std::move(row));
    }
  }
  for (auto& [name, entry] : entries) {
    for (const PolicyQuantity& quantity : policy_quantities(first)) {
      const Json::json_pointer place(quantity.field);
      if (entry.contains(place)) {
        entry[place] = nullptr;
      }
    }
  }
  return table;
}

/// One of the quantities over n, if the file has it.
std::string chart_of(const NamedEntries& lines, const char* field, const std::string& title) {
  Series series{.name = title, .x = {}, .y = {}, .points = true};
  for (const auto& [name, line] : lines) {
    const auto n = number_in(line, "n");
    const auto value = line.contains(field) ? estimate_in(line[field]) : std::nullopt;
    if (n && value) {
      series.x.push_back(*n);
      series.y.push_back(value->rate);
      series.low.push_back(value->low);
      series.high.push_back(value->high);
    }
  }
  return series.x.size() < 2 ? ""
                             : to_svg(LineChart{.title = title,
                                                .x_label = "n, samples of a post",
                                                .series = {std::move(series)},
                                                .log_x = true,
                                                .labels = false});
}

}  // namespace

std::string temperature_text(const Json& table) {
  const auto temperature = number_in(table, "temperature");
  return temperature ? "temperature " + number_text(*temperature) : "";
}

std::string policies_html(const Json& table) {
  NamedEntries entries =
      table.contains("policies") ? entries_of(table["policies"], "name") : NamedEntries{};
  entries.resize(std::min(entries.size(), most_policies));
  if (entries.empty()) {
    return "";
  }
  const std::string reasons = reasons_html(entries);
  const Table shown = terminal_table(entries);
  const std::string others = columns_table(entries);
  return note(heading(table)) + (shown.rows.empty() ? "" : to_html(shown)) + reasons +
         (others.empty() ? ""
                         : "<details><summary>More numbers</summary>\n" + others + "</details>\n");
}

std::string best_of_n_html(const Json& table) {
  const NamedEntries lines =
      table.contains("best_of") ? entries_of(table["best_of"], "name") : NamedEntries{};
  Table shown{.columns = {{"n", true},
                          {"KL, nats", true},
                          {"reward", true},
                          {"gold score", true},
                          {"wins against references", true}},
              .rows = {}};
  for (const auto& [name, line] : lines) {
    shown.rows.emplace_back();
    for (const PolicyQuantity& quantity : {PolicyQuantity{"", "/n", 0},
                                           {"", "/kl", 3},
                                           {"", "/reward", 3},
                                           {"", "/gold", 3},
                                           {"", "/win_rate_references", 3}}) {
      shown.rows.back().push_back(cell_text(line, quantity));
    }
  }
  if (shown.rows.empty()) {
    return "";
  }
  const std::string at = temperature_text(table);
  const std::string charts = chart_of(lines, "reward", "Reward of the best of n") +
                             chart_of(lines, "gold", "Gold score of the best of n") +
                             chart_of(lines, "win_rate_references", "Wins against references");
  return note(fmt::format(
             "{} posts, {} samples of each{}; means over all subsets of n samples, with intervals "
             "of 95% over posts.",
             number_text(number_in(table, "rows").value_or(0)),
             number_text(number_in(table, "samples").value_or(0)), at.empty() ? "" : " at " + at)) +
         to_html(shown) + (charts.empty() ? "" : "<div class=\"charts\">\n" + charts + "</div>\n");
}

}  // namespace precis
