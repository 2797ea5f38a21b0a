// `precis decode`: token ids to text.
#include "base/text.hpp"
#include "commands/coding_options.hpp"
#include "commands/commands.hpp"
#include "data/byte_text.hpp"
#include "data/tokenizer.hpp"

namespace precis {
namespace {

void add_options(OptionTable& table, CodingOptions& options) {
  add_coding_options(table, options, "{\"ids\": [...]}",
                     "{\"text\"}, and {\"bytes\"} in base64 where they are not UTF-8");
}

std::vector<std::int32_t> parse_ids(const JsonRow& row, const Tokenizer& tokenizer) {
  const nlohmann::json* value = find_field(row.value, "ids");
  if (value == nullptr) {
    throw BadRow(row.where() + ": the field `ids` is missing.");
  }
  if (!value->is_array()) {
    throw BadRow(fmt::format("{}: the field `ids` is {}, a list of ids was expected.", row.where(),
                             value->type_name()));
  }
  std::vector<std::int32_t> ids;
  for (const nlohmann::json& id : *value) {
    if (!id.is_number_integer() || id < 0 || id >= tokenizer.vocabulary() ||
        !tokenizer.contains(id.get<std::int32_t>())) {
      throw BadRow(fmt::format(
          "{}: the field `ids` holds {} at place {}; the tokenizer's ids are 0 to {}.", row.where(),
          id.is_number() ? id.dump() : id.type_name(), ids.size() + 1, tokenizer.vocabulary() - 1));
    }
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

ExitStatus run(Context& context, CodingOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  return code_rows(context, options, [&](const JsonRow& row) {
    const std::string bytes = tokenizer.decode(parse_ids(row, tokenizer));
    nlohmann::ordered_json result = {{"text", replace_invalid_utf8(bytes)}};
    if (invalid_utf8_at(bytes)) {
      result["bytes"] = base64(bytes);
    }
    return result;
  });
}

}  // namespace

Command decode_command() {
  return make_command<CodingOptions>("decode", "turn token ids into text", Mpi::no, add_options,
                                     run);
}

}  // namespace precis
