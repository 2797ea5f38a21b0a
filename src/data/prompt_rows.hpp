// Rows for `sample` and `score`: posts, prompts as text or ids, with or without a response.
#pragma once

#include "data/data_options.hpp"
#include "data/tokenizer.hpp"
#include "io/jsonl.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace precis {

/// The token ids in a field of a row. Throws BadRow if it is missing or holds anything but integers
/// from 0 to `vocabulary` - 1.
[[nodiscard]] std::vector<std::int32_t> token_ids(const JsonRow& row, const char* field,
                                                  std::int64_t vocabulary);

/// One row of input as tokens.
struct PromptRow {
  std::string id;         // the row's, else its line number from 0 as text
  std::int64_t line = 0;  // from 1
  std::vector<std::int32_t> prompt_ids;
  std::vector<std::int32_t> response_ids;  // empty unless responses were asked for
};

struct PromptRows {
  std::vector<PromptRow> rows;
  std::int64_t bad = 0;  // rows skipped (data.skip_bad)
};

struct PromptRowOptions {
  bool with_response = false;           // `score`; else `sample`
  bool append_end = true;               // the end token after the text of {"prompt","response"}
  std::int64_t context = 0;             // the model's: prompt and response together
  std::int64_t new_tokens = 0;          // `sample`: room to leave after the prompt
  std::int64_t max_query_tokens = 512;  // posts are cut to this, and to what `sample` leaves
  std::int64_t vocabulary = 0;          // ids must be below
  QueryTemplate query_template = QueryTemplate::automatic;
  bool skip_bad = false;
};

/// Reads TL;DR and CNN/DM rows, {"prompt"}, {"prompt_ids"}, and with responses
/// {"prompt","response"},
/// {"prompt_ids","response_ids"}. A post is cut to fit; a prompt that does not fit, an empty prompt
/// and an id out of range are errors with file and line. Without a tokenizer (null) only ids are
/// taken.
[[nodiscard]] PromptRows read_prompt_rows(const InputFile& file, const Tokenizer* tokenizer,
                                          const PromptRowOptions& options);

}  // namespace precis
