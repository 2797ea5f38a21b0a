// `precis decode`: token ids to text.
#include <algorithm>
#include <limits>

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

/// The ids of a row. A model file says how large the vocabulary is; a tokenizer alone cannot tell
/// how far the vocabulary of the model that wrote them is padded.
std::vector<std::int32_t> parse_ids(const JsonRow& row, const Tokenizer& tokenizer) {
  return token_ids(row, "ids",
                   tokenizer.model_vocabulary().value_or(std::numeric_limits<std::int32_t>::max()));
}

ExitStatus run(Context& context, CodingOptions& options) {
  const Tokenizer tokenizer = load_tokenizer(context, options.tokenizer);
  std::int64_t without_token = 0;
  const ExitStatus status = code_rows(context, options, [&](const JsonRow& row) {
    const std::vector<std::int32_t> ids = parse_ids(row, tokenizer);
    without_token += std::count_if(ids.begin(), ids.end(),
                                   [&](std::int32_t id) { return !tokenizer.contains(id); });
    const std::string bytes = tokenizer.decode(ids);
    nlohmann::ordered_json result = {{"text", replace_invalid_utf8(bytes)}};
    if (invalid_utf8_at(bytes)) {
      result["bytes"] = base64(bytes);
    }
    return result;
  });
  if (without_token > 0) {
    context.log.warning(
        "{} of the input: the tokenizer has no token for {}, so no text was written for {}.",
        counted(without_token, "id"), without_token == 1 ? "it" : "them",
        without_token == 1 ? "it" : "them");
  }
  return status;
}

}  // namespace

Command decode_command() {
  return make_command<CodingOptions>("decode", "turn token ids into text", Mpi::no, add_options,
                                     run);
}

}  // namespace precis
