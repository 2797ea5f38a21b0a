#include "io/row_file.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.hpp"

namespace precis {
namespace {

struct OtherFormat {
  std::string found;
  std::string command;  ///< that makes JSON Lines of it
};

std::string by_pandas(const std::string& reader) {
  return fmt::format(
      "python3 -c \"import pandas; pandas.{}.to_json('rows.jsonl', orient='records', lines=True)\"",
      reader);
}

std::string by_jq(std::string_view filter, const std::string& name) {
  return fmt::format("jq -c '{}' '{}' > rows.jsonl", filter, name);
}

bool is_json(std::string_view text) { return nlohmann::json::accept(text); }

bool has_ending(const std::string& name, const std::string& ending) {
  return name.ends_with(ending) || name.ends_with(ending + ".gz");
}

std::optional<OtherFormat> other_format(std::string_view line, const std::string& name) {
  if (line.starts_with("PAR1")) {
    return OtherFormat{"a Parquet file", by_pandas(fmt::format("read_parquet('{}')", name))};
  }
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const auto second = line.find_first_not_of(" \t", 1);
  const bool stands_alone = second == std::string_view::npos;
  if (line.starts_with('[') && (stands_alone || line[second] == '{')) {
    return OtherFormat{"one JSON array", by_jq(".[]", name)};
  }
  const bool goes_on = line.ends_with(',') || line.ends_with('{') || line.ends_with('[');
  if (line.starts_with('{') && (stands_alone || goes_on) && !is_json(line)) {
    return OtherFormat{"JSON with objects over several lines", by_jq(".", name)};
  }
  for (const auto& [ending, separator] :
       {std::pair(".csv", ""), std::pair(".tsv", ", sep='\\t'")}) {
    if (has_ending(name, ending) && !line.empty() && !is_json(line)) {
      return OtherFormat{"a table of separated values",
                         by_pandas(fmt::format("read_csv('{}'{})", name, separator))};
    }
  }
  return std::nullopt;
}

}  // namespace

void require_json_lines(std::string_view first_line, const std::string& name) {
  if (const auto other = other_format(first_line, name)) {
    fail("{}: this is {}, but JSON Lines were expected, an object on each line. To convert it: {}",
         name, other->found, other->command);
  }
}

void require_rows(std::int64_t rows, const std::string& files) {
  require(rows > 0, "{} {} no rows.", files,
          files.find(',') == std::string::npos ? "holds" : "hold");
}

}  // namespace precis
