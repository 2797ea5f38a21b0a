// The options that `encode` and `decode` share.
#pragma once

#include "base/options.hpp"

#include <string>

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
       .required = true});
  table.add("input", &options.input, {.meaning = "rows " + input_rows, .required = true});
  table.add("output", &options.output, {.meaning = "rows " + output_rows, .required = true});
  table.add("data.skip_bad", &options.skip_bad,
            {.meaning = "skip and count rows that cannot be read instead of stopping"});
}

}  // namespace precis
