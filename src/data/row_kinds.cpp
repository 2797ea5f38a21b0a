#include "data/row_kinds.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>

#include "base/text.hpp"

namespace precis {
namespace {

constexpr std::array comparisons = {
    R"({"info": {"subreddit": "...", "title": "...", "post": "..."}, )"
    R"("summaries": [{"text": " ..."}, {"text": " ..."}], "choice": 0})",
    R"({"info": {"article": "..."}, )"
    R"("summaries": [{"text": " ..."}, {"text": " ..."}], "choice": 1})",
    R"({"prompt": "...", "chosen": " ...", "rejected": " ..."})"};

constexpr std::array summaries = {
    R"({"subreddit": "...", "title": "...", "post": "...", "summary": "..."})",
    R"({"article": "...", "highlights": "..."})"};

constexpr std::array prompts = {R"({"subreddit": "...", "title": "...", "post": "..."})",
                                R"({"article": "..."})", R"({"prompt": "..."})",
                                R"({"prompt_ids": [464, 2068]})"};

constexpr std::array responses = {summaries[0], summaries[1],
                                  R"({"prompt": "...", "response": " ..."})",
                                  R"({"prompt_ids": [464, 2068], "response_ids": [7586]})"};

/// "the fields `a`, `b`", some of them if there are many.
std::string fields_of(const nlohmann::json& row) {
  constexpr std::size_t most = 8;
  constexpr std::size_t longest = 40;
  std::vector<std::string> names;
  for (const auto& [name, value] : row.items()) {
    if (names.size() == most) {
      names.emplace_back("...");
      break;
    }
    if (!value.is_null()) {
      const std::string shown =
          name.size() <= longest
              ? name
              : name.substr(0, invalid_utf8_at(name.substr(0, longest)).value_or(longest)) + "...";
      names.push_back("`" + shown + "`");
    }
  }
  if (names.empty()) {
    return "no field";
  }
  return (names.size() == 1 ? "the field " : "the fields ") + joined(names, ", ");
}

}  // namespace

std::span<const char* const> comparison_kinds() { return comparisons; }
std::span<const char* const> summary_kinds() { return summaries; }
std::span<const char* const> prompt_kinds() { return prompts; }
std::span<const char* const> response_kinds() { return responses; }

std::string unknown_kind(const nlohmann::json& row, const std::string& where,
                         std::span<const char* const> kinds) {
  return fmt::format("{}: the row has {}; expected a row of one of these kinds:\n  {}", where,
                     fields_of(row), fmt::join(kinds, "\n  "));
}

}  // namespace precis
