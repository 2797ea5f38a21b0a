// `precis encode`: text to token ids.
#include "commands/coding_options.hpp"
#include "commands/commands.hpp"
#include "data/data_options.hpp"
#include "data/tokenizer.hpp"

namespace precis {
namespace {

struct EncodeOptions : CodingOptions {
  bool special = false;
  BeginToken begin = BeginToken::automatic;
};

void add_options(OptionTable& table, EncodeOptions& options) {
  add_coding_options(table, options, "{\"text\"}", "{\"ids\": [...]}");
  table.add("special", &options.special,
            {.meaning = "take special tokens such as <|endoftext|> from the text",
             .source = "precis: text is never taken for a special token"});
  add_begin_option(table, options.begin);
}

ExitStatus run(Context& context, EncodeOptions& options) {
  const Tokenizer tokenizer = with_begin_token(load_tokenizer(context, options.tokenizer),
                                               options.begin, options.tokenizer);
  return code_rows(context, options, [&](const JsonRow& row) -> nlohmann::ordered_json {
    return {{"ids", tokenizer.encode_beginning(row.text("text"), options.special)}};
  });
}

}  // namespace

Command encode_command() {
  return make_command<EncodeOptions>("encode", "turn text into token ids", Mpi::no, add_options,
                                     run);
}

}  // namespace precis
