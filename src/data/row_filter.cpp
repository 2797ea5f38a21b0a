#include "data/row_filter.hpp"

#include "base/text.hpp"
#include "io/row_file.hpp"

#include <algorithm>

namespace precis {
namespace {

constexpr std::int64_t most_body_tokens = 512;
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

bool RowFilter::keeps_texts(const Post& post, RowCounts& counts) {
  if (std::int64_t RowCounts::*const rule = rule_for_post(post)) {
    ++(counts.*rule);
    return false;
  }
  return true;
}

std::int64_t RowCounts::*RowFilter::rule_for_post(const Post& post) {
  if (use_ == RowUse::validation) {
    return nullptr;
  }
  const auto& allowed = options_.subreddits;
  if (!allowed.empty() &&
      std::find(allowed.begin(), allowed.end(), post.subreddit) == allowed.end()) {
    return &RowCounts::subreddit;
  }
  if (!options_.filter) {
    return nullptr;
  }
  if (is_edit_or_update(post.title)) {
    return &RowCounts::title;
  }
  const bool repeated = kind_ == RowKind::summary && !bodies_.insert(post.body).second;
  return repeated ? &RowCounts::duplicate : nullptr;
}

EncodedRow RowFilter::encode(const Post& post, const std::vector<std::string>& responses,
                             const std::string& where) const {
  EncodedRow row;
  if (measures_body()) {
    row.body_tokens = static_cast<std::int32_t>(tokenizer_.encode(post.body).size());
    if (rule_for_body(row.body_tokens) != nullptr) {
      return row;
    }
  }
  for (std::size_t k = 0; k < responses.size(); ++k) {
    row.responses.at(k) = encode_response(tokenizer_, responses[k]);
  }
  if (rule_for_responses(row) == nullptr) {
    row.query =
        encode_query(tokenizer_, post, options_.query_template, options_.max_query_tokens, where);
  }
  return row;
}

std::int64_t RowCounts::*RowFilter::rule_for_body(std::int64_t tokens) const {
  return measures_body() && tokens > most_body_tokens ? &RowCounts::long_body : nullptr;
}

std::int64_t RowCounts::*RowFilter::rule_for_responses(const EncodedRow& row) const {
  if (use_ != RowUse::training) {
    return nullptr;
  }
  const std::int64_t longest = row.longest_response();
  if (options_.filter && kind_ == RowKind::summary &&
      (longest < fewest_summary_tokens || longest > most_summary_tokens)) {
    return &RowCounts::summary_length;
  }
  return longest > options_.max_response_tokens ? &RowCounts::long_response : nullptr;
}

bool RowFilter::keeps_tokens(const EncodedRow& row, RowCounts& counts) const {
  if (!row.error.empty()) {
    skip_or_throw(BadRow(row.error), options_.skip_bad);
    ++counts.bad;
    return false;
  }
  std::int64_t RowCounts::*rule = rule_for_body(row.body_tokens);
  if (rule == nullptr) {
    rule = rule_for_responses(row);
  }
  const std::int64_t response =
      use_ == RowUse::prompts ? options_.max_response_tokens : row.longest_response();
  if (rule == nullptr && std::ssize(row.query) > context_ - response) {
    rule = &RowCounts::long_context;
  }
  if (rule == nullptr && options_.limit > 0 && counts.kept >= options_.limit) {
    rule = &RowCounts::limit;
  }
  ++(counts.*(rule == nullptr ? &RowCounts::kept : rule));
  return rule == nullptr;
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
