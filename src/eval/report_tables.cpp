#include "eval/report_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "eval/report_files.hpp"
#include "eval/win.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/table.hpp"

namespace precis {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_rows = 200;
constexpr std::size_t most_columns = 40;
constexpr std::size_t most_judges = 24;

std::string readable(std::string name) {
  static const std::map<std::string, std::string> names = {
      {"kl", "KL, nats a summary"},
      {"gold", "gold score"},
      {"words", "length, words"},
      {"win_rate_references", "wins against references"},
      {"win_rate_first", "wins against the first policy"},
      {"equal_length_references", "wins against references at equal length"},
      {"equal_length_first", "wins against the first policy at equal length"}};
  if (const auto found = names.find(name); found != names.end()) {
    return found->second;
  }
  std::ranges::replace(name, '_', ' ');
  return name.substr(0, 80);
}

/// An estimate with its interval, in the forms that commands write.
std::optional<Rate> estimate_in(const Json& value) {
  const auto low = number_in(value, "low");
  const auto high = number_in(value, "high");
  for (const char* name : {"rate", "share", "mean", "accuracy", "value"}) {
    const auto middle = number_in(value, name);
    if (middle && low && high) {
      return Rate{*middle, *low, *high};
    }
  }
  return std::nullopt;
}

std::string rate_text(const Rate& rate) {
  return fmt::format("{} ({} to {})", number_text(rate.rate), number_text(rate.low),
                     number_text(rate.high));
}

/// An estimate whose interval stands beside it: accuracy, accuracy_low, accuracy_high.
std::optional<Rate> bounded_in(const Json& object, const std::string& field) {
  const auto value = number_in(object, field.c_str());
  const auto low = number_in(object, (field + "_low").c_str());
  const auto high = number_in(object, (field + "_high").c_str());
  return value && low && high ? std::optional(Rate{*value, *low, *high}) : std::nullopt;
}

/// Whether the field is a bound of one that `bounded_in` finds.
bool is_bound(const Json& object, const std::string& field) {
  for (const std::string_view end : {"_low", "_high"}) {
    if (field.ends_with(end) && bounded_in(object, field.substr(0, field.size() - end.size()))) {
      return true;
    }
  }
  return false;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

void add_fields(const Json& object, const std::string& prefix, int depth, Fields& fields) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + readable(key);
    if (fields.size() >= most_columns || is_bound(object, key) ||
        ((key == "low" || key == "high") && estimate_in(object))) {
      continue;
    }
    if (const auto bounded = bounded_in(object, key)) {
      fields.emplace_back(name, rate_text(*bounded));
    } else if (const auto estimate = estimate_in(value)) {
      fields.emplace_back(name, rate_text(*estimate));
    } else if (value.is_number()) {
      const bool is_middle = key == "share" || key == "rate" || key == "mean";
      const auto own = is_middle ? estimate_in(object) : std::nullopt;
      fields.emplace_back(name, own ? rate_text(*own) : number_text(value.get<double>()));
    } else if (value.is_string()) {
      fields.emplace_back(name, value.get<std::string>());
    } else if (value.is_boolean()) {
      fields.emplace_back(name, value.get<bool>() ? "yes" : "no");
    } else if (value.is_object() && !text_in(value, "reason").empty()) {
      fields.emplace_back(name, "-");  // the reason stands below the table
    } else if (value.is_object() && depth < 2) {
      add_fields(value, name + " ", depth + 1, fields);
    }
  }
}

Fields fields_of(const Json& object) {
  Fields fields;
  if (object.is_object()) {
    add_fields(object, "", 0, fields);
  }
  return fields;
}

/// Objects by name, whether they are written as an object of objects or as a list of objects with
/// the field `name_field`.
std::vector<std::pair<std::string, Json>> entries_of(const Json& value, const char* name_field) {
  std::vector<std::pair<std::string, Json>> entries;
  if (value.is_object()) {
    for (const auto& [name, entry] : value.items()) {
      if (entry.is_object() && entries.size() < most_rows) {
        entries.emplace_back(name, entry);
      }
    }
  } else if (value.is_array()) {
    for (Json entry : value) {
      if (entry.is_object() && entries.size() < most_rows) {
        std::string name = text_in(entry, name_field);
        entry.erase(name_field);
        entries.emplace_back(std::move(name), std::move(entry));
      }
    }
  }
  return entries;
}

/// A row an entry.
std::string rows_table(const std::vector<std::pair<std::string, Json>>& entries,
                       const std::string& caption) {
  std::vector<Fields> fields;
  Table table{.columns = {{""}}, .rows = {}, .caption = caption};
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries) {
    fields.push_back(fields_of(entry));
    for (const auto& [field, text] : fields.back()) {
      if (std::ranges::find(names, field) == names.end() && names.size() < most_columns) {
        names.push_back(field);
        table.columns.push_back({field, true});
      }
    }
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::vector<std::string> row(names.size() + 1);
    row[0] = entries[i].first;
    for (const auto& [field, text] : fields[i]) {
      if (const auto place = std::ranges::find(names, field); place != names.end()) {
        row[static_cast<std::size_t>(place - names.begin()) + 1] = text;
      }
    }
    table.rows.push_back(std::move(row));
  }
  return names.empty() ? "" : to_html(table);
}

/// A column an entry: for few entries with many fields.
std::string columns_table(const std::vector<std::pair<std::string, Json>>& entries) {
  Table table{.columns = {{""}}, .rows = {}};
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(entries.size(), most_columns); ++i) {
    table.columns.push_back({entries[i].first, true});
    for (const auto& [field, text] : fields_of(entries[i].second)) {
      auto place = std::ranges::find(names, field);
      if (place == names.end()) {
        names.push_back(field);
        table.rows.push_back({field});
        place = names.end() - 1;
      }
      auto& row = table.rows[static_cast<std::size_t>(place - names.begin())];
      row.resize(i + 1);
      row.push_back(text);
    }
  }
  // JSON has no order; this is the one of `evaluate table`.
  const std::vector<std::string> order = {"gold score",
                                          "coverage",
                                          "accuracy",
                                          readable("words"),
                                          "copying longest run",
                                          "copying longest share",
                                          readable("kl"),
                                          readable("win_rate_references"),
                                          readable("equal_length_references"),
                                          readable("win_rate_first"),
                                          readable("equal_length_first")};
  std::ranges::stable_sort(table.rows, {}, [&](const std::vector<std::string>& row) {
    return std::ranges::find(order, row[0]) - order.begin();
  });
  return names.empty() ? "" : to_html(table);
}

/// Why a number is not there, a line each.
std::string reasons_html(const std::vector<std::pair<std::string, Json>>& entries) {
  std::string html;
  for (const auto& [name, entry] : entries) {
    for (const auto& [key, value] : entry.items()) {
      if (const std::string reason = text_in(value, "reason"); !reason.empty()) {
        html += fmt::format("<p class=\"note\">{}, {}: {}.</p>\n", escaped(name),
                            escaped(readable(key)), escaped(reason));
      }
    }
  }
  return html;
}

std::string policies_html(const Json& table) {
  std::string html;
  if (const auto posts = number_in(table, "posts")) {
    html += fmt::format(
        "<p class=\"note\">{} posts, judged by the gold labeler; intervals of 95% over "
        "posts.</p>\n",
        number_text(*posts));
  }
  if (!table.contains("policies")) {
    return "";
  }
  const auto entries = entries_of(table["policies"], "name");
  return html + columns_table(entries) + reasons_html(entries);
}

/// Agreement over groups with an order, as points with intervals; empty for fewer than two.
std::string groups_chart(const std::vector<std::pair<std::string, Json>>& groups,
                         const std::string& title, const std::string& x_label) {
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
      std::ranges::sort(groups, {}, &std::pair<std::string, Json>::first);
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
        "The calibration error is {}; on so many pairs that of a calibrated model would be {} to "
        "{}. ",
        number_text(*ece), number_text(*low), number_text(*high));
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
  return to_svg(map) + (matrix["judges"].size() > judges
                            ? fmt::format("<p class=\"note\">The first {} of {} judges.</p>\n",
                                          judges, matrix["judges"].size())
                            : "");
}

std::string workers_html(const Json& workers) {
  Table table{.columns = {{"labeler"},
                          {"judgements", true},
                          {"accuracy, estimated", true},
                          {"weight", true},
                          {"with researchers", true},
                          {"with the majority", true},
                          {"with gold", true},
                          {"chose the first", true},
                          {"chose the longer", true}},
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
                          share(worker, "first_shown"), share(worker, "longer")});
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

std::string table_title(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  return name == "table.json"       ? "Policies under the gold labeler"
         : name == "agreement.json" ? "Agreement of the reward model"
         : name == "audit.json"     ? "Agreement of labelers"
                                    : "Over-optimisation";
}

std::string table_html(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  if (name == "overoptimize.jsonl") {
    return overoptimization_html(file);
  }
  const Json table = read_json_file(file);
  require(table.is_object(), "a JSON object was expected, found {}", table.type_name());
  std::string html = name == "table.json"   ? policies_html(table)
                     : name == "audit.json" ? audit_html(table)
                                            : reward_agreement_html(table);
  require(!html.empty(), "the file has nothing of what such a table holds");
  return html;
}

}  // namespace precis
