// TL;DR and CNN/DM rows: queries, responses, the paper's filters.
#pragma once

#include "data/data_options.hpp"
#include "data/tokenizer.hpp"
#include "io/handed_files.hpp"
#include "io/jsonl.hpp"
#include "parallel/rank_group.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// A prompt is a whole query: no template frames it, and it is not cut.
enum class PostKind { reddit, article, prompt };

/// What a summary is written for: a Reddit post, a news article or a prompt.
struct Post {
  std::string id;  // empty: the row has none
  std::string subreddit;
  std::string title;
  std::string body;  // `post`, `article` or `prompt`
  PostKind kind = PostKind::reddit;
};

/// A row of a TL;DR or CNN/DM file.
struct SummaryRow {
  Post post;
  std::string summary;  // `summary` or `highlights`, as in the file; empty if it was not asked for
  std::string file;
  std::int64_t line = 0;  // from 1

  [[nodiscard]] std::string where() const;
  /// The post's own, else the row's line number from 0.
  [[nodiscard]] std::string id() const;
};

/// The post of an object with `subreddit, title, post` or `article`. Throws BadRow naming the field
/// that is missing or not text; for an object of neither kind, saying which there are.
[[nodiscard]] Post parse_post(const nlohmann::json& object, const std::string& where);

/// A whole row; the summary is required only if `with_summary`.
[[nodiscard]] SummaryRow parse_summary_row(const JsonRow& row, bool with_summary);

/// The query text of a post (O): TL;DR `SUBREDDIT: r/{subreddit}\n\nTITLE: {title}\n\nPOST:
/// {post}\n\nTL;DR:`, CNN/DM `Article:\n{article}\n\nTL;DR:\n`, transfer `{article}\n\nTL;DR:`.
/// Automatic chooses by the kind of post; a prompt is used as it is. Throws BadRow if the template
/// needs another kind.
[[nodiscard]] std::string format_query(const Post& post, QueryTemplate form,
                                       const std::string& where);

using TextEncoder = std::function<std::vector<std::int32_t>(std::string_view)>;

/// `before + body + after` cut to at most `max_tokens` tokens (O, process_query): while it is
/// longer, `body` loses what follows its last newline and that newline; with none left, its last
/// character. Nothing if even an empty body is too long. Works with any encoder; encodes once per
/// cut.
[[nodiscard]] std::optional<std::vector<std::int32_t>> truncate_query(std::string_view before,
                                                                      std::string body,
                                                                      std::string_view after,
                                                                      std::int64_t max_tokens,
                                                                      const TextEncoder& encode);

/// The query of a post, after the tokenizer's begin tokens, cut to `max_tokens` with these as
/// `truncate_query` does, in about linear time; a prompt is not cut. Throws BadRow if it cannot be
/// cut enough.
[[nodiscard]] std::vector<std::int32_t> encode_query(const Tokenizer& tokenizer, const Post& post,
                                                     QueryTemplate form, std::int64_t max_tokens,
                                                     const std::string& where);

/// A response as it is trained on: `text` as given, then the end token.
[[nodiscard]] std::vector<std::int32_t> encode_response(const Tokenizer& tokenizer,
                                                        std::string_view text);

/// A summary as it is trained on: a space before it.
[[nodiscard]] std::string response_of(std::string_view summary);

/// The response of a TL;DR row: a space, the summary, the end token.
[[nodiscard]] std::vector<std::int32_t> encode_summary(const Tokenizer& tokenizer,
                                                       std::string_view summary);

/// What was read and why rows were dropped; each dropped row is counted under the first rule that
/// dropped it, in this order.
struct RowCounts {
  std::int64_t read = 0;  // rows in the files, bad ones included
  std::int64_t bad = 0;
  std::int64_t split = 0;            // of another `split` (comparisons)
  std::int64_t excluded_worker = 0;  // of data.exclude_workers (comparisons)
  std::int64_t zero_weight = 0;      // of a worker of weight 0 (comparisons)
  std::int64_t subreddit = 0;        // not on the allow-list
  std::int64_t title = 0;            // begins with Edit or Update
  std::int64_t duplicate = 0;        // the body of an earlier row
  std::int64_t long_body = 0;        // over 512 tokens
  std::int64_t summary_length = 0;   // outside 24 to 48 tokens
  std::int64_t long_response = 0;    // over data.max_response_tokens
  std::int64_t long_context = 0;     // query and response do not fit the model's context
  std::int64_t limit = 0;            // after the first data.limit rows
  std::int64_t kept = 0;

  /// "1,945 rows read, 1,700 kept; dropped: 3 duplicate bodies, ..."
  [[nodiscard]] std::string describe() const;
};

/// A query with its response, ready for training.
class Example {
 public:
  Example(SummaryRow summary_row, const std::vector<std::int32_t>& query,
          const std::vector<std::int32_t>& response);

  SummaryRow row;
  /// Query and response end to end, the response with its end token.
  [[nodiscard]] std::span<const std::int32_t> tokens() const { return tokens_; }
  [[nodiscard]] std::span<const std::int32_t> query() const { return tokens().first(query_size_); }
  [[nodiscard]] std::span<const std::int32_t> response() const {
    return tokens().subspan(query_size_);
  }

 private:
  std::vector<std::int32_t> tokens_;
  std::size_t query_size_;
};

struct Examples {
  std::vector<Example> examples;
  RowCounts counts;
};

/// What a row set is read for: training rows are filtered and dropped by length, validation uses
/// every row that fits the context, prompts need no summary.
enum class RowUse { training, validation, prompts };

/// Reads `files` (names and globs) in order. `context`: the most tokens of query and response
/// together (for prompts: of the query and data.max_response_tokens). Responses of prompts are left
/// empty; their summary is kept where the row has one. Throws Error for a bad row (unless
/// data.skip_bad) and for a training set without rows. With `ranks` collective: each encodes a part
/// of the rows, and errors are agreed.
[[nodiscard]] Examples read_examples(const std::vector<std::string>& files, RowUse use,
                                     const DataOptions& options, const Tokenizer& tokenizer,
                                     std::int64_t context, const HandedFiles& handed = {},
                                     RankGroup* ranks = nullptr);

}  // namespace precis
