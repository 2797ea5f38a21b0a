#include "report/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "page/number.hpp"
#include "page/table.hpp"
#include "report/files.hpp"

namespace precis {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_rows = 200;
constexpr std::size_t most_columns = 40;

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
      fields.emplace_back(name, "-");  // the reason is given below the table
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

}  // namespace

std::string readable(std::string name) {
  static const std::map<std::string, std::string> names = {
      {"kl", "KL, nats per summary"},
      {"gold", "gold score"},
      {"words", "length, words"},
      {"gold_pairs", "pairs without a tie under gold"},
      {"gold_agreement", "agreement with gold"},
      {"labeler_gold_agreement", "labelers' agreement with gold"},
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

std::optional<Rate> bounded_in(const Json& object, const std::string& field) {
  const auto value = number_in(object, field.c_str());
  const auto low = number_in(object, (field + "_low").c_str());
  const auto high = number_in(object, (field + "_high").c_str());
  return value && low && high ? std::optional(Rate{*value, *low, *high}) : std::nullopt;
}

std::string rate_text(const Rate& rate) {
  const double size = std::max({std::abs(rate.rate), std::abs(rate.low), std::abs(rate.high)});
  if (size >= 0.01 && size < 1000) {
    return to_text(rate);
  }
  return fmt::format("{} ({} to {})", number_text(rate.rate), number_text(rate.low),
                     number_text(rate.high));
}

NamedEntries entries_of(const Json& value, const char* name_field) {
  NamedEntries entries;
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

std::string rows_table(const NamedEntries& entries, const std::string& caption) {
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

std::string columns_table(const NamedEntries& entries) {
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
  return names.empty() ? "" : to_html(table);
}

}  // namespace precis
