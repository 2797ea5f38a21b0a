#include "feedback/pair_list.hpp"

#include <xxhash.h>

#include "base/text.hpp"
#include "feedback/pair_id.hpp"

namespace precis {
namespace {

std::string digest_of(const std::vector<ListedPair>& pairs) {
  std::string content;
  for (const ListedPair& pair : pairs) {
    const auto& [first, second] = pair.comparison.summaries;
    content += pair.id;
    content += trimmed(first) < trimmed(second) ? '0' : '1';
  }
  return fmt::format("{:016x}", XXH3_64bits(content.data(), content.size()));
}

}  // namespace

std::optional<std::size_t> PairList::place(const std::string& id) const {
  const auto found = places.find(id);
  return found == places.end() ? std::nullopt : std::optional(found->second);
}

PairList read_pair_list(const std::string& file) {
  PairList list;
  list.file = file;
  for_each_row(file, [&](const JsonRow& row) {
    if (find_field(row.value, "format") != nullptr && find_field(row.value, "info") == nullptr) {
      throw BadRow(row.where() +
                   ": this is an answer of a page; expected a comparison (`info`, `summaries`). "
                   "Give the file that the page was exported from.");
    }
    const JsonRow in_schema{.value = comparison_row(row), .file = row.file, .line = row.line};
    Comparison comparison = parse_comparison(in_schema, ChoiceField::ignored);
    if (trimmed(comparison.summaries[0]) == trimmed(comparison.summaries[1])) {
      ++list.identical;
      return;
    }
    std::string id = pair_id(comparison);
    if (!list.places.emplace(id, list.pairs.size()).second) {
      ++list.repeated;
      return;
    }
    list.pairs.push_back(
        {.row = in_schema.value, .comparison = std::move(comparison), .id = std::move(id)});
  });
  require(!list.pairs.empty(), "{}: there is no pair of different summaries in the file; {}.", file,
          list.identical > 0 ? counted(list.identical, "pair") + " of identical ones"
                             : "comparisons in OpenAI's schema were expected");
  list.digest = digest_of(list.pairs);
  return list;
}

}  // namespace precis
