#include "data/comparisons.hpp"

#include <map>

#include "base/text.hpp"
#include "data/preference_rows.hpp"
#include "data/row_kinds.hpp"
#include "data/row_selection.hpp"
#include "data/worker_weights.hpp"
#include "io/row_id.hpp"
#include "parallel/collectively.hpp"

namespace precis {
namespace {

const nlohmann::json& required_field(const nlohmann::json& object, const char* field,
                                     const std::string& where) {
  const nlohmann::json* value = find_field(object, field);
  if (value == nullptr) {
    throw BadRow(fmt::format("{}: the field `{}` is missing.", where, field));
  }
  return *value;
}

/// A text that only reports need: anything else counts as not given.
std::string optional_text(const nlohmann::json& object, const char* field) {
  const nlohmann::json* value = find_field(object, field);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

int parse_choice(const nlohmann::json& row, const std::string& where) {
  const nlohmann::json& choice = required_field(row, "choice", where);
  if (!choice.is_number_integer() || (choice != 0 && choice != 1)) {
    throw BadRow(fmt::format("{}: the field `choice` is {}; expected 0 or 1.", where,
                             choice.is_number() ? choice.dump() : choice.type_name()));
  }
  return choice.get<int>();
}

std::optional<int> parse_confidence(const nlohmann::json& row, const std::string& where) {
  const nlohmann::json* extra = find_field(row, "extra");
  if (extra == nullptr || !extra->is_object()) {
    return std::nullopt;
  }
  const nlohmann::json* value = find_field(*extra, "confidence");
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_number_integer() || *value < 1 || *value > 9) {
    throw BadRow(
        fmt::format("{}: the field `extra.confidence` is {}; expected a whole number from 1 to 9.",
                    where, value->is_number() ? value->dump() : value->type_name()));
  }
  return value->get<int>();
}

/// What `info` says of a post, an article, or a prompt that is used as it is.
Post parse_info(const nlohmann::json& info, const std::string& where) {
  if (!info.is_object()) {
    throw BadRow(
        fmt::format("{}: the field `info` is {}; expected an object.", where, info.type_name()));
  }
  const std::string place = where + ", info";
  if (find_field(info, "prompt") == nullptr || find_field(info, "post") != nullptr ||
      find_field(info, "article") != nullptr) {
    return parse_post(info, place);
  }
  Post post;
  post.id = id_in(info, place).value_or("");
  post.body = text_field(info, "prompt", place);
  post.kind = PostKind::prompt;
  return post;
}

/// Which comparisons are asked for: by split and worker.
class ComparisonChoice {
 public:
  ComparisonChoice(const std::string& split, RowUse use, const DataOptions& options,
                   const HandedFiles& handed)
      : split_(split),
        workers_(handed.of(use == RowUse::training ? options.worker_weights : ""),
                 use == RowUse::training || options.valid_excludes_workers
                     ? options.exclude_workers
                     : std::vector<std::string>()) {}

  /// Sets the pair's weight. Throws BadRow for a row without a split where one is asked for.
  bool keeps(Pair& pair, const std::string& where, RowCounts& counts) {
    if (!split_.empty()) {
      if (pair.comparison.split.empty()) {
        throw BadRow(fmt::format(
            "{}: the field `split` is missing; rows of the split \"{}\" were asked for.", where,
            split_));
      }
      if (pair.comparison.split != split_) {
        ++counts.split;
        ++other_splits_[pair.comparison.split];
        return false;
      }
    }
    if (workers_.excludes(pair.comparison)) {
      ++counts.excluded_worker;
      return false;
    }
    pair.weight = workers_.weight_of(pair.comparison);
    counts.zero_weight += pair.weight == 0 ? 1 : 0;
    return pair.weight != 0;
  }

  /// After the last row: throws Error if no row is of the split, naming those that exist, or an
  /// excluded worker made no comparison.
  void check(const std::vector<std::string>& files, const RowCounts& counts) const {
    require_split(files, counts);
    workers_.check_excluded(joined(files, ","));
  }

 private:
  void require_split(const std::vector<std::string>& files, const RowCounts& counts) const {
    if (other_splits_.empty() || counts.split + counts.bad < counts.read) {
      return;
    }
    constexpr std::size_t most = 20;
    std::vector<std::string> named;
    for (const auto& [name, rows] : other_splits_) {
      if (named.size() == most) {
        named.emplace_back("...");
        break;
      }
      named.push_back(fmt::format("\"{}\" ({})", name, counted(rows, "row")));
    }
    fail("{}: no comparison is of the split \"{}\". There {}: {}.", joined(files, ","), split_,
         other_splits_.size() == 1 ? "is" : "are", joined(named, ", "));
  }

  const std::string& split_;
  WorkerChoice workers_;
  std::map<std::string, std::int64_t> other_splits_;
};

}  // namespace

std::string Comparison::where() const { return fmt::format("{}:{}", file, line); }

nlohmann::json comparison_row(const JsonRow& row) {
  const std::string where = row.where();
  if (is_preference(row.value)) {
    return preference_as_comparison(row.value, where);
  }
  if (find_field(row.value, "info") != nullptr || find_field(row.value, "summaries") != nullptr) {
    return row.value;
  }
  if (find_field(row.value, "post") != nullptr || find_field(row.value, "article") != nullptr) {
    throw BadRow(where +
                 ": this is a post with one summary; expected a comparison (`info`, `summaries`, "
                 "`choice`). Such rows are what `precis sft` trains on.");
  }
  throw BadRow(unknown_kind(row.value, where, comparison_kinds()));
}

Comparison parse_comparison(const JsonRow& row, ChoiceField field) {
  const std::string where = row.where();
  const nlohmann::json value = comparison_row(row);
  const nlohmann::json& info = required_field(value, "info", where);
  const nlohmann::json& summaries = required_field(value, "summaries", where);
  if (!summaries.is_array() || summaries.size() != 2 || !summaries[0].is_object() ||
      !summaries[1].is_object()) {
    throw BadRow(fmt::format("{}: the field `summaries` must be a list of two objects.", where));
  }
  Comparison result;
  result.post = parse_info(info, where);
  result.choice = field == ChoiceField::required ? parse_choice(value, where) : 0;
  for (std::size_t k = 0; k < 2; ++k) {
    result.summaries[k] =
        text_field(summaries[k], "text", where, fmt::format("summaries[{}].text", k));
    result.policies[k] = optional_text(summaries[k], "policy");
    result.notes[k] = optional_text(summaries[k], "note");
  }
  result.worker = optional_text(value, "worker");
  result.batch = optional_text(value, "batch");
  result.split = optional_text(value, "split");
  result.confidence = parse_confidence(value, where);
  result.file = row.file;
  result.line = row.line;
  return result;
}

Pairs read_pairs(const std::vector<std::string>& files, const std::string& split, RowUse use,
                 const DataOptions& options, const Tokenizer& tokenizer, std::int64_t context,
                 const HandedFiles& handed, RankGroup* ranks) {
  Pairs result;
  RowCounts& counts = result.counts;
  RowFilter filter(options, use, RowKind::comparison, tokenizer, context);
  RowSelection<Pair> selection(
      filter, counts,
      [](const Pair& pair) {
        const Comparison& comparison = pair.comparison;
        return RowTexts{.post = &comparison.post,
                        .responses = {comparison.summaries.begin(), comparison.summaries.end()},
                        .where = comparison.where()};
      },
      [&](Pair&& pair, EncodedRow&& tokens) {
        pair.query = std::move(tokens.query);
        pair.responses = std::move(tokens.responses);
        result.pairs.push_back(std::move(pair));
      });
  collectively(ranks, [&] {
    ComparisonChoice choice(split, use, options, handed);
    const auto visit = [&](const JsonRow& json) {
      Pair pair;
      pair.comparison = parse_comparison(json);
      if (choice.keeps(pair, json.where(), counts) &&
          filter.keeps_texts(pair.comparison.post, counts)) {
        selection.add(std::move(pair));
      }
    };
    read_rows(files, options.skip_bad, counts, visit, handed);
    choice.check(files, counts);
  });
  selection.finish(ranks);
  collectively(ranks, [&] {
    if (use != RowUse::validation) {
      require(!result.pairs.empty(), "{}: no comparison is left to use. {}", joined(files, ","),
              counts.describe());
    }
  });
  return result;
}

}  // namespace precis
