#include "data/row_filter.hpp"

#include "base/text.hpp"
#include "io/row_file.hpp"

#include <algorithm>

namespace precis {
namespace {

constexpr std::size_t most_body_tokens = 512;
constexpr std::int64_t fewest_summary_tokens = 24;
constexpr std::int64_t most_summary_tokens = 48;

bool begins_with_word(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin(),
                    [](char expected, char found) { return (found | 0x20) == expected; });
}

}  // namespace

bool is_edit_or_update(std::string_view title) {
  title.remove_prefix(std::min(title.find_first_not_of(" \t\n\r[(*{\"'"), title.size()));
  return begins_with_word(title, "edit") || begins_with_word(title, "update");
}

bool RowFilter::keeps_post(const Post& post, RowCounts& counts) {
  const auto& allowed = options_.subreddits;
  if (!allowed.empty() &&
      std::find(allowed.begin(), allowed.end(), post.subreddit) == allowed.end()) {
    ++counts.subreddit;
    return false;
  }
  if (!options_.filter) {
    return true;
  }
  if (is_edit_or_update(post.title)) {
    ++counts.title;
    return false;
  }
  if (!posts_repeat_ && !bodies_.insert(post.body).second) {
    ++counts.duplicate;
    return false;
  }
  if (tokenizer_.encode(post.body).size() > most_body_tokens) {
    ++counts.long_body;
    return false;
  }
  return true;
}

bool RowFilter::keeps_response(std::int64_t tokens, RowCounts& counts) const {
  if (options_.filter && use_ == RowUse::training &&
      (tokens < fewest_summary_tokens || tokens > most_summary_tokens)) {
    ++counts.summary_length;
    return false;
  }
  if (tokens > options_.max_response_tokens) {
    ++counts.long_response;
    return false;
  }
  return true;
}

void read_rows(const std::vector<std::string>& files, bool skip_bad, RowCounts& counts,
               const std::function<void(const JsonRow&)>& visit, const HandedFiles& handed) {
  for (const InputFile& file : handed.expand(files)) {
    std::int64_t good = 0;
    const std::int64_t bad = for_each_row(file, skip_bad, [&](const JsonRow& row) {
      visit(row);
      ++good;
    });
    counts.bad += bad;
    counts.read += good + bad;
  }
  require_rows(counts.read, joined(files, ", "));
}

}  // namespace precis
