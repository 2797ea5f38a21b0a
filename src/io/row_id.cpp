#include "io/row_id.hpp"

namespace precis {

std::optional<std::string> id_in(const nlohmann::json& object, const std::string& where) {
  const nlohmann::json* id = find_field(object, "id");
  if (id == nullptr) {
    return std::nullopt;
  }
  if (id->is_string()) {
    const auto& text = id->get_ref<const std::string&>();
    return text.empty() ? std::nullopt : std::optional(text);
  }
  if (!id->is_number_integer()) {
    throw BadRow(fmt::format(
        "{}: the field `id` is {}; expected text or a whole number, or no id: then the row has "
        "the number of its line.",
        where, id->is_number() || id->is_boolean() ? id->dump() : id->type_name()));
  }
  return id->dump();
}

std::string id_of(const JsonRow& row) {
  return id_in(row.value, row.where()).value_or(std::to_string(row.line - 1));
}

std::string required_id(const JsonRow& row) {
  auto id = id_in(row.value, row.where());
  if (!id) {
    throw BadRow(row.where() + ": the field `id` is missing; the id of a row was expected.");
  }
  return *std::move(id);
}

}  // namespace precis
