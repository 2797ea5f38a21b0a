#include "feedback/pair_id.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "base/text.hpp"

namespace precis {

std::uint64_t pair_number(const Comparison& comparison) {
  const auto [first, second] =
      std::minmax({trimmed(comparison.summaries[0]), trimmed(comparison.summaries[1])});
  std::string content;
  for (const std::string_view part : std::initializer_list<std::string_view>{
           comparison.post.subreddit, comparison.post.title, comparison.post.body, first, second}) {
    content += fmt::format("{}:{}", part.size(), part);  // no two lists give the same content
  }
  return XXH3_64bits(content.data(), content.size());
}

std::string pair_id(const Comparison& comparison) {
  return fmt::format("{:016x}", pair_number(comparison));
}

}  // namespace precis
