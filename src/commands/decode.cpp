// `precis decode`: token ids to text.
#include "base/text.hpp"
#include "commands/coding_options.hpp"
#include "commands/commands.hpp"
#include "data/byte_text.hpp"
#include "data/prompt_rows.hpp"
#include "data/tokenizer.hpp"

namespace precis {
namespace {

void add_options(OptionTable& table, CodingOptions& options) {
  add_coding_options(table, options, "{\"ids\": [...]}",
                     "{\"text\"}, and {\"bytes\"} in base64 where they are not UTF-8");
}

std::vector<std::int32_t> parse_ids(const JsonRow& row, const Tokenizer& tokenizer) {
  std::vector<std::int32_t> ids = token_ids(row, "ids", tokenizer.vocabulary());
  for (const std::int32_t id : ids) {
    if (!tokenizer.contains(id)) {
      throw BadRow(fmt::format("{}: the tokenizer has no token {}.", row.where(), id));
    }
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
