// `precis encode`: text to token ids.
#include "base/text.hpp"
#include "commands/coding_options.hpp"
#include "commands/commands.hpp"
#include "data/tokenizer.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct EncodeOptions : CodingOptions {
  bool special = false;
};

void add_options(OptionTable& table, EncodeOptions& options) {
  add_coding_options(table, options, "{\"text\"}", "{\"ids\": [...]}");
  table.add("special", &options.special,
            {.meaning = "take special tokens such as <|endoftext|> from the text"});
}

ExitStatus run(Context& context, EncodeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  JsonlWriter output(options.output);
  const auto skipped = for_each_row(options.input, options.skip_bad, [&](const JsonRow& row) {
    output.write({{"ids", tokenizer.encode(row.text("text"), options.special)}});
  });
  output.commit();
  if (skipped > 0) {
    context.log.warning("{} rows could not be read and were skipped.", with_thousands(skipped));
  }
  return ExitStatus::done;
}

}  // namespace

Command encode_command() {
  return make_command<EncodeOptions>("encode", "turn text into token ids", Mpi::no, add_options,
                                     run);
}

}  // namespace precis
