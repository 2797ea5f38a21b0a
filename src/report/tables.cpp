#include "report/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "eval/win.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/table.hpp"
#include "report/fields.hpp"
#include "report/files.hpp"
#include "report/policies.hpp"

namespace precis {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_judges = 24;

/// Agreement over groups with an order, as points with intervals; empty for fewer than two.
std::string groups_chart(const NamedEntries& groups, const std::string& title,
                         const std::string& x_label) {
  Series series{.name = "agreement", .x = {}, .y = {}, .points = true};
  bool by_number = true;
  for (const auto& [name, group] : groups) {
    by_number = by_number && name.size() == 1 && name[0] >= '0' && name[0] <= '9';
  }
  for (const auto& [name, group] : groups) {
    auto estimate = estimate_in(group);
    estimate = estimate ? estimate : bounded_in(group, "accuracy");
    if (!estimate && group.contains("accuracy")) {
      estimate = estimate_in(group["accuracy"]);
    }
    if (estimate) {
      series.x.push_back(by_number ? name[0] - '0' : static_cast<double>(series.x.size() + 1));
      series.y.push_back(estimate->rate);
      series.low.push_back(estimate->low);
      series.high.push_back(estimate->high);
    }
  }
  if (series.x.size() < 2) {
    return "";
  }
  const std::string names =
      by_number ? "" : fmt::format(", {} to {}", groups.front().first, groups.back().first);
  return to_svg(LineChart{.title = title,
                          .x_label = x_label + names,
                          .series = {std::move(series)},
                          .y_low = 0,
                          .y_high = 1,
                          .level = 0.5,
                          .level_name = "chance",
                          .labels = false});
}

/// The breakdowns `by_*` of a table: charts where the groups have an order, then tables.
std::string breakdowns_html(const Json& table) {
  std::string charts;
  std::string tables;
  for (const auto& [key, value] : table.items()) {
    if (!key.starts_with("by_")) {
      continue;
    }
    const std::string title = "Agreement " + readable(key);
    auto groups = entries_of(value, "name");
    if (key == "by_confidence") {
      std::ranges::sort(groups, {}, &NamedEntries::value_type::first);
      charts += groups_chart(groups, title, "confidence");
    } else if (key == "by_batch") {
      charts += groups_chart(groups, title + ", over time", "batch");
    }
    tables += rows_table(groups, title);
  }
  return (charts.empty() ? "" : "<div class=\"charts\">\n" + charts + "</div>\n") +
         (tables.empty() ? ""
                         : "<details><summary>Breakdowns</summary>\n" + tables + "</details>\n");
}

/// How often the summary with the higher reward was chosen, by how sure the rewards are of it.
std::string calibration_html(const Json& calibration) {
  const Json bins = calibration.is_object() ? calibration.value("bins", Json()) : Json();
  Series chosen{.name = "chosen", .x = {}, .y = {}, .line = false, .points = true};
  for (const auto& [name, bin] : entries_of(bins, "name")) {
    const auto predicted = number_in(bin, "predicted");
    const auto rate = bin.contains("chosen") ? estimate_in(bin["chosen"]) : std::nullopt;
    if (predicted && rate) {
      chosen.x.push_back(*predicted);
      chosen.y.push_back(rate->rate);
      chosen.low.push_back(rate->low);
      chosen.high.push_back(rate->high);
    }
  }
  if (chosen.x.empty()) {
    return "";
  }
  const Series diagonal{.name = "calibrated", .x = {0.5, 1}, .y = {0.5, 1}, .faint = true};
  std::string text;
  const auto ece = number_in(calibration, "ece");
  const Json range = calibration.value("ece_if_calibrated", Json());
  const auto low = number_in(range, "low");
  const auto high = number_in(range, "high");
  if (ece && low && high) {
    text += fmt::format(
        "The calibration error is {:.3f}; on so many pairs that of a calibrated model would be "
        "{:.3f} to {:.3f}. ",
        *ece, *low, *high);
  }
  for (const auto& [field, name] : {std::pair("brier", "Brier score"), {"log_loss", "Log loss"}}) {
    const auto mean = estimate_in(calibration.value(field, Json()));
    text += mean ? fmt::format("{}: {}. ", name, rate_text(*mean)) : "";
  }
  return "<div class=\"charts\">\n" +
         to_svg(LineChart{.title = "Calibration: how often the higher reward was chosen",
                          .x_label = "probability that the reward model gives it",
                          .series = {diagonal, chosen},
                          .y_low = 0,
                          .y_high = 1,
                          .labels = false}) +
         fmt::format("</div>\n<p class=\"note\">Pale: a calibrated model. {}</p>\n", text);
}

std::string reward_agreement_html(const Json& table) {
  Json overall = Json::object();
  for (const auto& [key, value] : table.items()) {
    if (value.is_number() || estimate_in(value)) {
      overall[key] = value;
    }
  }
  return columns_table({{"all comparisons", overall}}) + breakdowns_html(table) +
         calibration_html(table.value("calibration", Json()));
}

std::string matrix_html(const Json& matrix) {
  if (!matrix.is_object() || !matrix.contains("judges") || !matrix.contains("cells") ||
      !matrix["judges"].is_array() || !matrix["cells"].is_array()) {
    return "";
  }
  HeatMap map{.title = "Agreement, with 95% intervals",
              .rows = {},
              .columns = {},
              .cells = {},
              .middle = 0.5};
  const std::size_t judges = std::min(matrix["judges"].size(), most_judges);
  for (std::size_t i = 0; i < judges; ++i) {
    map.rows.push_back(text_in(matrix["judges"][i], "name"));
  }
  map.columns = map.rows;
  for (std::size_t i = 0; i < judges; ++i) {
    auto& row = map.cells.emplace_back(judges);
    for (std::size_t j = 0; j < judges; ++j) {
      const Json& line = i < matrix["cells"].size() ? matrix["cells"][i] : Json();
      const Json& cell = line.is_array() && j < line.size() ? line[j] : Json();
      if (const auto share = estimate_in(cell)) {
        row[j] = {.value = share->rate,
                  .text = fmt::format("{:.2f}", share->rate),
                  .note = fmt::format("{:.2f} to {:.2f}", share->low, share->high)};
      }
    }
  }
  if (map.rows.empty()) {
    return "";
  }
  return to_html(map) + (matrix["judges"].size() > judges
                             ? fmt::format("<p class=\"note\">The first {} of {} judges.</p>\n",
                                           judges, matrix["judges"].size())
                             : "");
}

std::string workers_html(const Json& workers) {
  Table table{.columns = {{"labeler"},
                          {"judgements", true},
                          {"accuracy, estimated (95% over pairs)", true},
                          {"weight", true},
                          {"with researchers", true},
                          {"with the majority", true},
                          {"with gold", true},
                          {"chose the first", true},
                          {"chose the longer", true},
                          {"remark"}},
              .rows = {}};
  const auto share = [](const Json& worker, const char* field) {
    const auto rate = worker.contains(field) ? estimate_in(worker[field]) : std::nullopt;
    return rate ? rate_text(*rate) : std::string();
  };
  for (const auto& [name, worker] : entries_of(workers, "worker")) {
    const auto accuracy = number_in(worker, "accuracy");
    const auto low = number_in(worker, "accuracy_low");
    const auto high = number_in(worker, "accuracy_high");
    const auto judgements = number_in(worker, "judgements");
    const auto weight = number_in(worker, "weight");
    table.rows.push_back({name, judgements ? number_text(*judgements) : "",
                          accuracy && low && high ? rate_text({*accuracy, *low, *high}) : "",
                          weight ? number_text(*weight) : "", share(worker, "researchers"),
                          share(worker, "majority"), share(worker, "gold"),
                          share(worker, "first_shown"), share(worker, "longer"),
                          text_in(worker, "verdict")});
  }
  return table.rows.empty() ? "" : to_html(table);
}

std::string audit_html(const Json& audit) {
  std::string html;
  if (const auto judgements = number_in(audit, "judgements")) {
    html += fmt::format(
        "<p class=\"note\">{} judgements of {} pairs; {} pairs judged by several.</p>\n",
        number_text(*judgements), number_text(number_in(audit, "pairs").value_or(0)),
        number_text(number_in(audit, "judged_by_several").value_or(0)));
  }
  html += matrix_html(audit.value("matrix", Json()));
  html += workers_html(audit.value("workers", Json()));
  return html + breakdowns_html(audit);
}

}  // namespace

ReportTable read_report_table(const std::filesystem::path& file) {
  const TableKind kind = table_kind(file.filename().string()).value();
  if (kind == TableKind::overoptimization) {
    return {"Over-optimisation", overoptimization_html(file)};
  }
  const Json table = read_json_file(file);
  require(table.is_object(), "a JSON object was expected, found {}", table.type_name());
  const std::string at = temperature_text(table);
  ReportTable read;
  switch (kind) {
    case TableKind::policies:
      read = {"Policies under the gold labeler" + (at.empty() ? "" : ", " + at),
              policies_html(table)};
      break;
    case TableKind::best_of_n:
      read = {"The best of n samples by the reward model" + (at.empty() ? "" : ", " + at),
              best_of_n_html(table)};
      break;
    case TableKind::audit:
      read = {"Agreement of labelers", audit_html(table)};
      break;
    case TableKind::agreement:
    case TableKind::overoptimization:
      read = {"Agreement of the reward model", reward_agreement_html(table)};
      break;
  }
  require(!read.html.empty(), "the file has nothing of what such a table holds");
  return read;
}

}  // namespace precis
