// The `data.` keys: which rows are read and how they become tokens.
#pragma once

#include "base/options.hpp"
#include "data/tokenizer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace precis {

/// How a query is written (RECIPE: Data).
enum class QueryTemplate { automatic, tldr, cnndm, transfer };

/// Whether a begin token goes before a query (`data.bos`): as the tokenizer says, or by choice.
enum class BeginToken { automatic, yes, no };

/// The defaults are those of `sft` but for `filter`, which is off elsewhere.
struct DataOptions {
  std::vector<std::string> train;  // names and globs
  std::vector<std::string> valid;
  std::vector<std::string> prompts;
  std::string train_split;  // comparisons: only rows of this split; empty: all
  std::string valid_split;
  std::string worker_weights;                // comparisons: a file; empty: all weigh 1
  std::vector<std::string> exclude_workers;  // comparisons
  bool valid_excludes_workers = false;
  std::int64_t max_query_tokens = 512;
  std::int64_t max_response_tokens = 48;
  bool filter = false;
  std::vector<std::string> subreddits;  // empty: all
  bool skip_bad = false;
  std::int64_t limit = 0;  // 0: no limit
  QueryTemplate query_template = QueryTemplate::automatic;
  BeginToken begin = BeginToken::automatic;
};

/// What a command reads: it decides which keys exist and their defaults.
enum class DataUse { sft, reward, ppo, rows };

/// Registers the `data.` keys that `use` has and sets the defaults of that use in `options`:
/// filters on for sft, responses of 128 tokens for reward. `rows` is for commands that take one
/// input file (sample, score): no file lists, filters or limit.
void add_data_options(OptionTable& table, DataOptions& options, DataUse use);
/// Registers `data.bos`, for commands that have none of the other keys.
void add_begin_option(OptionTable& table, BeginToken& begin);

/// The tokenizer whose post-processor does what `data.bos` asks for. Throws Error if it is to add a
/// begin token and none is known for `where`.
[[nodiscard]] Tokenizer with_begin_token(const Tokenizer& tokenizer, BeginToken begin,
                                         const std::string& where);

}  // namespace precis
