#include "data/tldr.hpp"

#include "base/text.hpp"
#include "data/row_kinds.hpp"
#include "data/row_selection.hpp"
#include "io/row_id.hpp"
#include "parallel/collectively.hpp"

#include <algorithm>
#include <array>

namespace precis {

std::string SummaryRow::where() const { return fmt::format("{}:{}", file, line); }

std::string SummaryRow::id() const { return post.id.empty() ? std::to_string(line - 1) : post.id; }

Post parse_post(const nlohmann::json& object, const std::string& where) {
  Post post;
  post.id = id_in(object, where).value_or("");
  if (find_field(object, "article") != nullptr && find_field(object, "post") == nullptr) {
    post.body = text_field(object, "article", where);
    post.kind = PostKind::article;
    return post;
  }
  if (std::ranges::all_of(std::array{"subreddit", "title", "post"}, [&](const char* field) {
        return find_field(object, field) == nullptr;
      })) {
    throw BadRow(unknown_kind(object, where, summary_kinds()));
  }
  post.subreddit = text_field(object, "subreddit", where);
  post.title = text_field(object, "title", where);
  post.body = text_field(object, "post", where);
  return post;
}

SummaryRow parse_summary_row(const JsonRow& row, bool with_summary) {
  if (find_field(row.value, "summaries") != nullptr && find_field(row.value, "info") != nullptr) {
    throw BadRow(row.where() +
                 ": this is a comparison (`info`, `summaries`); expected a TL;DR or CNN/DM row. "
                 "Comparisons are what `precis reward` trains on.");
  }
  SummaryRow result;
  result.post = parse_post(row.value, row.where());
  result.file = row.file;
  result.line = row.line;
  const char* field = result.post.kind == PostKind::article ? "highlights" : "summary";
  if (with_summary) {
    result.summary = row.text(field);
  } else if (const auto* summary = find_field(row.value, field);
             summary != nullptr && summary->is_string()) {
    result.summary = summary->get<std::string>();
  }
  return result;
}

std::string RowCounts::describe() const {
  std::string text = fmt::format("{} read, {} kept", counted(read, "row"), with_thousands(kept));
  std::string dropped;
  for (const auto& [count, reason] : {
           std::pair(bad, "unreadable"),
           std::pair(split, "of another split"),
           std::pair(excluded_worker, "of excluded workers"),
           std::pair(zero_weight, "of workers with weight 0"),
           std::pair(subreddit, "of other subreddits"),
           std::pair(title, "with a title that begins with Edit or Update"),
           std::pair(duplicate, "with the body of an earlier row"),
           std::pair(long_body, "with a body over 512 tokens"),
           std::pair(summary_length, "with a summary outside 24 to 48 tokens"),
           std::pair(long_response, "with a response over data.max_response_tokens"),
           std::pair(long_context, "longer than the model's context"),
           std::pair(limit, "beyond data.limit"),
       }) {
    if (count > 0) {
      dropped += fmt::format("{}{} {}", dropped.empty() ? "" : ", ", with_thousands(count), reason);
    }
  }
  return text + (dropped.empty() ? "." : "; dropped: " + dropped + ".");
}

Example::Example(SummaryRow summary_row, const std::vector<std::int32_t>& query,
                 const std::vector<std::int32_t>& response)
    : row(std::move(summary_row)), query_size_(query.size()) {
  tokens_.reserve(query.size() + response.size());
  tokens_.insert(tokens_.end(), query.begin(), query.end());
  tokens_.insert(tokens_.end(), response.begin(), response.end());
}

Examples read_examples(const std::vector<std::string>& files, RowUse use,
                       const DataOptions& options, const Tokenizer& tokenizer, std::int64_t context,
                       const HandedFiles& handed, RankGroup* ranks) {
  Examples result;
  RowCounts& counts = result.counts;
  RowFilter filter(options, use, RowKind::summary, tokenizer, context);
  RowSelection<SummaryRow> selection(
      filter, counts,
      [use](const SummaryRow& row) {
        return RowTexts{.post = &row.post,
                        .responses = use == RowUse::prompts ? std::vector<std::string>()
                                                            : std::vector{response_of(row.summary)},
                        .where = row.where()};
      },
      [&](SummaryRow&& row, EncodedRow&& tokens) {
        result.examples.emplace_back(std::move(row), tokens.query, tokens.responses[0]);
      });
  collectively(ranks, [&] {
    const auto visit = [&](const JsonRow& json) {
      SummaryRow row = parse_summary_row(json, use != RowUse::prompts);
      if (filter.keeps_texts(row.post, counts)) {
        selection.add(std::move(row));
      }
    };
    read_rows(files, options.skip_bad, counts, visit, handed);
  });
  selection.finish(ranks);
  collectively(ranks, [&] {
    if (use != RowUse::validation) {
      require(!result.examples.empty(), "{}: no row is left to use. {}{}", joined(files, ","),
              counts.describe(),
              options.filter ? " `--data.filter false` switches the filters off." : "");
    }
  });
  return result;
}

}  // namespace precis
