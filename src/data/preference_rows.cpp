#include "data/preference_rows.hpp"

#include <utility>

#include "io/jsonl.hpp"

namespace precis {
namespace {

std::string text_of(const nlohmann::json& row, const char* field, const std::string& where) {
  const nlohmann::json* value = find_field(row, field);
  if (value != nullptr && value->is_array()) {
    throw BadRow(fmt::format(
        "{}: the field `{}` is a list, as conversations have it; expected text. Write what the "
        "model is to answer to as the text `prompt`, and the two last messages as the texts "
        "`chosen` and `rejected`.",
        where, field));
  }
  if (value == nullptr && std::string(field) == "prompt") {
    throw BadRow(
        where +
        ": the row has `chosen` or `rejected` but no `prompt`. Write what both texts begin "
        "with as the text `prompt`, and leave it out of the two.");
  }
  return text_field(row, field, where);
}

}  // namespace

bool is_preference(const nlohmann::json& row) {
  return find_field(row, "info") == nullptr && find_field(row, "summaries") == nullptr &&
         (find_field(row, "chosen") != nullptr || find_field(row, "rejected") != nullptr);
}

nlohmann::json preference_as_comparison(nlohmann::json row, const std::string& where) {
  nlohmann::json info = {{"prompt", text_of(row, "prompt", where)}};
  if (const nlohmann::json* id = find_field(row, "id")) {
    info["id"] = *id;
  }
  nlohmann::json summaries = {{{"text", text_of(row, "chosen", where)}},
                              {{"text", text_of(row, "rejected", where)}}};
  for (const char* field : {"id", "prompt", "chosen", "rejected"}) {
    row.erase(field);
  }
  row["info"] = std::move(info);
  row["summaries"] = std::move(summaries);
  row["choice"] = 0;
  return row;
}

}  // namespace precis
