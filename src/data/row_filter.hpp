// The paper's filters, and the loop over files that both kinds of training rows share.
#pragma once

#include "data/tldr.hpp"
#include "io/handed_files.hpp"

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

namespace precis {

/// Decides which training rows and prompts are kept (Stiennon et al. 2020, appendix A) and counts
/// the others. Rows must come in their order: a duplicate is a row whose body an earlier one had.
class RowFilter {
 public:
  /// With `posts_repeat` (comparisons, many of which share a post) a body may be repeated.
  RowFilter(const DataOptions& options, RowUse use, const Tokenizer& tokenizer, bool posts_repeat)
      : options_(options), use_(use), tokenizer_(tokenizer), posts_repeat_(posts_repeat) {}

  /// Decides by subreddit, title and body.
  [[nodiscard]] bool keeps_post(const Post& post, RowCounts& counts);
  /// Decides by the response's tokens, the end token included.
  [[nodiscard]] bool keeps_response(std::int64_t tokens, RowCounts& counts) const;

 private:
  const DataOptions& options_;
  RowUse use_;
  const Tokenizer& tokenizer_;
  bool posts_repeat_;
  std::unordered_set<std::string> bodies_;
};

/// Whether a title begins with "Edit" or "Update" in any case, blanks and brackets before it aside.
[[nodiscard]] bool is_edit_or_update(std::string_view title);

/// Calls `visit` for the rows of the files that names and globs stand for; counts those read and
/// those skipped. Throws Error if there are none.
void read_rows(const std::vector<std::string>& files, bool skip_bad, RowCounts& counts,
               const std::function<void(const JsonRow&)>& visit, const HandedFiles& handed);

}  // namespace precis
