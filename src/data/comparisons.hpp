// Human comparisons in OpenAI's schema, or as prompts with a chosen and a rejected text.
#pragma once

#include "data/tldr.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace precis {

/// One judgement: which of two summaries of a post is better.
struct Comparison {
  Post post;
  std::array<std::string, 2> summaries;  // as given: OpenAI's begin with a space
  std::array<std::string, 2> policies;   // empty: not said
  std::array<std::string, 2> notes;      // of each summary; "length": it did not end
  int choice = 0;                        // the better one
  std::string worker;
  std::string batch;
  std::string split;
  std::optional<int> confidence;  // 1 to 9
  std::string file;
  std::int64_t line = 0;  // from 1

  [[nodiscard]] std::string where() const;
};

/// Whether a row has been judged: the `choice` of a row that is yet to be judged is ignored.
enum class ChoiceField { required, ignored };

/// The row in OpenAI's schema: as it is, or made from {"prompt", "chosen", "rejected"} (see
/// preference_as_comparison). Throws BadRow for a row of neither kind, saying which there are.
[[nodiscard]] nlohmann::json comparison_row(const JsonRow& row);

/// Takes either kind. Throws BadRow naming the field that is missing or of the wrong type.
/// `info.id`, `policy`, `note`, `worker`, `batch`, `split` and `extra.confidence` may be missing or
/// null. Of {"prompt", "chosen", "rejected"} the chosen text is the first summary.
[[nodiscard]] Comparison parse_comparison(const JsonRow& row,
                                          ChoiceField field = ChoiceField::required);

/// A comparison with its tokens.
struct Pair {
  Comparison comparison;
  std::vector<std::int32_t> query;
  std::array<std::vector<std::int32_t>, 2> responses;  // text as given, then the end token
  double weight = 1;                                   // in the loss

  [[nodiscard]] const std::vector<std::int32_t>& chosen() const {
    return responses[static_cast<std::size_t>(comparison.choice)];
  }
  [[nodiscard]] const std::vector<std::int32_t>& rejected() const {
    return responses[static_cast<std::size_t>(1 - comparison.choice)];
  }
  /// How many tokens both sequences have, each with the query.
  [[nodiscard]] std::int64_t tokens() const {
    return static_cast<std::int64_t>(2 * query.size() + chosen().size() + rejected().size());
  }
};

struct Pairs {
  std::vector<Pair> pairs;
  RowCounts counts;
};

/// Reads `files` (names and globs) in order and keeps those of `split` (empty: all). Pairs with
/// a response over data.max_response_tokens are dropped from training; those over the context are
/// dropped from both; all are counted. Workers who are excluded or weigh nothing are left out of
/// training (data.exclude_workers, data.worker_weights), excluded ones of validation only with
/// data.valid_excludes_workers. Throws Error for a bad row (unless data.skip_bad) and for a
/// training set without pairs. With `ranks` collective, as `read_examples`.
[[nodiscard]] Pairs read_pairs(const std::vector<std::string>& files, const std::string& split,
                               RowUse use, const DataOptions& options, const Tokenizer& tokenizer,
                               std::int64_t context, const HandedFiles& handed = {},
                               RankGroup* ranks = nullptr);

}  // namespace precis
