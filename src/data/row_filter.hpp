// The paper's filters, and the way from the rows of files to those that a training uses.
#pragma once

#include "data/row_encoding.hpp"
#include "data/tldr.hpp"
#include "io/handed_files.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace precis {

/// A post with one summary (`sft`), or with two (`reward`).
enum class RowKind { summary, comparison };

/// Decides which rows are kept (Stiennon et al. 2020, appendix A) and counts the others: by their
/// texts, in the order of the files; then, encoded, by their tokens. Of validation rows only the
/// context's length is asked. Many comparisons share a post, and their summaries are of any length.
class RowFilter {
 public:
  /// `options` and `tokenizer` must outlive it. `context`: the most tokens of query and longest
  /// response together; of prompts, of the query and data.max_response_tokens.
  RowFilter(const DataOptions& options, RowUse use, RowKind kind, const Tokenizer& tokenizer,
            std::int64_t context)
      : options_(options), use_(use), kind_(kind), tokenizer_(tokenizer), context_(context) {}

  /// Decides by subreddit, title and body. Rows must come in their order: a duplicate is a row
  /// whose body an earlier one had.
  [[nodiscard]] bool keeps_texts(const Post& post, RowCounts& counts);
  /// The tokens of a row that its texts do not drop; `responses` are texts as they are trained on.
  /// Several threads may call it. Throws BadRow if the query cannot be cut to
  /// data.max_query_tokens.
  [[nodiscard]] EncodedRow encode(const Post& post, const std::vector<std::string>& responses,
                                  const std::string& where) const;
  /// Decides by the tokens and data.limit. With data.skip_bad a row with an error is counted; else
  /// it is thrown as Error.
  [[nodiscard]] bool keeps_tokens(const EncodedRow& row, RowCounts& counts) const;

  [[nodiscard]] const DataOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return tokenizer_; }

 private:
  // The count of the rule by which a row is dropped, or null.
  [[nodiscard]] std::int64_t RowCounts::*rule_for_post(const Post& post);
  [[nodiscard]] std::int64_t RowCounts::*rule_for_body(std::int64_t tokens) const;
  [[nodiscard]] std::int64_t RowCounts::*rule_for_responses(const EncodedRow& row) const;
  [[nodiscard]] bool measures_body() const { return use_ != RowUse::validation && options_.filter; }

  const DataOptions& options_;
  RowUse use_;
  RowKind kind_;
  const Tokenizer& tokenizer_;
  std::int64_t context_;
  std::unordered_set<std::string> bodies_;
};

/// Whether a title begins with "Edit" or "Update" in any case, blanks and brackets before it aside.
[[nodiscard]] bool is_edit_or_update(std::string_view title);

/// Calls `visit` for the rows of the files that names and globs stand for; counts those read and
/// those skipped. Throws Error if there are none.
void read_rows(const std::vector<std::string>& files, bool skip_bad, RowCounts& counts,
               const std::function<void(const JsonRow&)>& visit, const HandedFiles& handed);

}  // namespace precis
