// `precis tokenizer`: trains a byte-level BPE tokenizer.
#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "data/tokenizer_trainer.hpp"
#include "io/jsonl.hpp"
#include "io/output_file.hpp"
#include "io/text_file.hpp"

#include <fmt/format.h>

namespace precis {
namespace {

struct TokenizerOptions {
  std::vector<std::string> input;
  std::string output;
  std::int64_t vocabulary = 0;
  bool skip_bad = false;
};

void add_options(OptionTable& table, TokenizerOptions& options) {
  table.add("input", &options.input,
            {.meaning = "JSON Lines, names or globs separated by commas; the text fields `text`, "
                        "`title`, `post`, `summary`, `article`, `highlights` are learned from",
             .required = true,
             .file = FileUse::input});
  table.add(
      "vocab", &options.vocabulary,
      {.unit = "tokens",
       .meaning = "the 256 bytes, merges, and last <|endoftext|>; fewer if the merges run out",
       .minimum = 257,
       .maximum = 1 << 24,
       .required = true});
  table.add("output", &options.output,
            {.meaning = "the tokenizer.json to write", .required = true, .file = FileUse::output});
  table.add("data.skip_bad", &options.skip_bad,
            {.meaning = "skip and count rows that cannot be read instead of stopping",
             .source = "precis"});
}

ExitStatus run(Context& context, TokenizerOptions& options) {
  OutputFile output(options.output);
  TokenizerTrainer trainer;
  std::int64_t texts = 0;
  std::int64_t bytes = 0;
  std::int64_t skipped = 0;
  const auto learn = [&](const JsonRow& row) {
    for (const char* field : {"text", "title", "post", "summary", "article", "highlights"}) {
      const nlohmann::json* value = find_field(row.value, field);
      if (value == nullptr || !value->is_string()) {
        continue;
      }
      const auto& text = value->get_ref<const std::string&>();
      trainer.add(text);
      ++texts;
      bytes += static_cast<std::int64_t>(text.size());
    }
  };
  for (const std::string& file : expand_files(options.input)) {
    skipped += for_each_row(file, options.skip_bad, learn);
  }
  if (skipped > 0) {
    context.log.warning("{} rows could not be read and were skipped.", with_thousands(skipped));
  }
  require(texts > 0,
          "{}: no row has a text field: `text`, `title`, `post`, `summary`, `article` or "
          "`highlights` was expected.",
          joined(options.input, ","));
  const Tokenizer tokenizer = trainer.train(options.vocabulary);
  output.write(tokenizer.to_json());
  output.commit();
  if (tokenizer.vocabulary() < options.vocabulary) {
    context.log.info("No pair of tokens occurs twice any more: {} tokens instead of {}.",
                     with_thousands(tokenizer.vocabulary()), with_thousands(options.vocabulary));
  }
  fmt::print("{}: {} tokens from {} texts ({}).\n", options.output,
             with_thousands(tokenizer.vocabulary()), with_thousands(texts),
             byte_size(static_cast<std::uint64_t>(bytes)));
  return ExitStatus::done;
}

}  // namespace

Command tokenizer_command() {
  return make_command<TokenizerOptions>("tokenizer", "train a byte-level BPE tokenizer", Mpi::no,
                                        add_options, run);
}

}  // namespace precis
