// What `encode` and `decode` share: their options, and rows in, rows out.
#pragma once

#include <functional>
#include <string>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "commands/command.hpp"
#include "data/tokenizer.hpp"
#include "io/jsonl.hpp"

namespace precis {

struct CodingOptions {
  std::string tokenizer;
  std::string input;
  std::string output;
  bool skip_bad = false;
};

inline void add_coding_options(OptionTable& table, CodingOptions& options,
                               const std::string& input_rows, const std::string& output_rows) {
  table.add(
      "tokenizer", &options.tokenizer,
      {.meaning = "a tokenizer.json, a model file, or a folder with tokenizer.json, vocab.json + "
                  "merges.txt or encoder.json + vocab.bpe",
       .required = true,
       .file = FileUse::input});
  table.add("input", &options.input,
            {.meaning = "rows " + input_rows, .required = true, .file = FileUse::input});
  table.add("output", &options.output,
            {.meaning = "rows " + output_rows + "; a name that ends in .gz is compressed",
             .required = true,
             .file = FileUse::output});
  table.add("data.skip_bad", &options.skip_bad,
            {.meaning = "skip and count rows that cannot be read instead of stopping",
             .source = "precis"});
}

/// Loads the tokenizer, and logs what was chosen where its files disagree.
inline Tokenizer load_tokenizer(Context& context, const std::string& path) {
  Tokenizer tokenizer = Tokenizer::load(path);
  for (const std::string& note : tokenizer.notes()) {
    context.log.warning("{}", note);
  }
  return tokenizer;
}

/// Writes `code(row)` for every row of the input, and logs how many.
inline ExitStatus code_rows(Context& context, const CodingOptions& options,
                            const std::function<nlohmann::ordered_json(const JsonRow&)>& code) {
  const Stopwatch watch;
  JsonlWriter output(options.output);
  std::int64_t written = 0;
  const auto skipped = for_each_row(options.input, options.skip_bad, [&](const JsonRow& row) {
    output.write(code(row));
    ++written;
  });
  output.commit();
  if (skipped > 0) {
    context.log.warning("{} rows could not be read and were skipped.", with_thousands(skipped));
  }
  context.log.info("Rows written to {}: {}, in {}.", options.output, with_thousands(written),
                   duration_text(watch.seconds()));
  return ExitStatus::done;
}

}  // namespace precis
