#include "data/prompt_rows.hpp"

#include "data/row_kinds.hpp"
#include "data/tldr.hpp"
#include "io/row_id.hpp"

#include <algorithm>

namespace precis {
namespace {

class PromptRowParser {
 public:
  PromptRowParser(const Tokenizer* tokenizer, const PromptRowOptions& options)
      : tokenizer_(tokenizer), options_(options) {}

  [[nodiscard]] PromptRow parse(const JsonRow& row) const {
    PromptRow result;
    result.id = id_of(row);
    result.line = row.line;
    if (find_field(row.value, "prompt_ids") != nullptr) {
      result.prompt_ids = token_ids(row, "prompt_ids", options_.vocabulary);
      if (options_.with_response) {
        result.response_ids = token_ids(row, "response_ids", options_.vocabulary);
      }
    } else if (find_field(row.value, "prompt") != nullptr) {
      result.prompt_ids = tokenizer(row).encode_beginning(row.text("prompt"));
      if (options_.with_response) {
        result.response_ids = options_.append_end
                                  ? encode_response(tokenizer(row), row.text("response"))
                                  : tokenizer(row).encode(row.text("response"));
      }
    } else {
      parse_post_row(row, result);
    }
    check_length(row, result);
    return result;
  }

 private:
  [[nodiscard]] const Tokenizer& tokenizer(const JsonRow& row) const {
    require(
        tokenizer_ != nullptr,
        "{}: the row has text, but the model has no tokenizer. Give `prompt_ids`, or import the "
        "model with its tokenizer.",
        row.where());
    return *tokenizer_;
  }

  /// The tokens that a prompt may have beside the new ones.
  [[nodiscard]] std::int64_t most_prompt_tokens() const {
    return options_.context - options_.new_tokens;
  }

  void parse_post_row(const JsonRow& row, PromptRow& result) const {
    if (find_field(row.value, "post") == nullptr && find_field(row.value, "article") == nullptr) {
      throw BadRow(unknown_kind(row.value, row.where(),
                                options_.with_response ? response_kinds() : prompt_kinds()));
    }
    const SummaryRow summary = parse_summary_row(row, options_.with_response);
    result.prompt_ids =
        encode_query(tokenizer(row), summary.post, options_.query_template,
                     std::min(options_.max_query_tokens, most_prompt_tokens()), row.where());
    if (options_.with_response) {
      result.response_ids = encode_summary(tokenizer(row), summary.summary);
    }
  }

  void check_length(const JsonRow& row, const PromptRow& result) const {
    if (result.prompt_ids.empty()) {
      throw BadRow(
          fmt::format("{}: the prompt is empty; at least one token is needed.", row.where()));
    }
    const auto prompt = static_cast<std::int64_t>(result.prompt_ids.size());
    const auto response = static_cast<std::int64_t>(result.response_ids.size());
    if (options_.with_response && prompt + response > options_.context) {
      throw BadRow(
          fmt::format("{}: prompt and response have {} + {} tokens, the model's context is {}.",
                      row.where(), prompt, response, options_.context));
    }
    if (prompt > most_prompt_tokens()) {
      throw BadRow(fmt::format(
          "{}: the prompt has {} tokens; with {} new ones at most {} fit the model's context of "
          "{}.",
          row.where(), prompt, options_.new_tokens, most_prompt_tokens(), options_.context));
    }
  }

  const Tokenizer* tokenizer_;
  const PromptRowOptions& options_;
};

}  // namespace

std::vector<std::int32_t> token_ids(const JsonRow& row, const char* field,
                                    std::int64_t vocabulary) {
  const nlohmann::json* value = find_field(row.value, field);
  if (value == nullptr) {
    throw BadRow(fmt::format("{}: the field `{}` is missing.", row.where(), field));
  }
  if (!value->is_array()) {
    throw BadRow(fmt::format("{}: the field `{}` is {}; expected a list of ids.", row.where(),
                             field, value->type_name()));
  }
  std::vector<std::int32_t> result;
  for (const nlohmann::json& id : *value) {
    if (!id.is_number_integer() || id < 0 || id >= vocabulary) {
      throw BadRow(fmt::format("{}: the field `{}` holds {} at place {}; the ids are 0 to {}.",
                               row.where(), field, id.is_number() ? id.dump() : id.type_name(),
                               result.size() + 1, vocabulary - 1));
    }
    result.push_back(id.get<std::int32_t>());
  }
  return result;
}

PromptRows read_prompt_rows(const InputFile& file, const Tokenizer* tokenizer,
                            const PromptRowOptions& options) {
  const PromptRowParser parser(tokenizer, options);
  PromptRows result;
  result.bad = for_each_row(file, options.skip_bad,
                            [&](const JsonRow& row) { result.rows.push_back(parser.parse(row)); });
  return result;
}

}  // namespace precis
