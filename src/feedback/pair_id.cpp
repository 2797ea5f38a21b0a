#include "feedback/pair_id.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "base/text.hpp"

namespace precis {
namespace {

/// No two lists of texts give the same content but by chance.
std::uint64_t hash_of(std::initializer_list<std::string_view> parts) {
  std::string content;
  for (const std::string_view part : parts) {
    content += fmt::format("{}:{}", part.size(), part);
  }
  return XXH3_64bits(content.data(), content.size());
}

}  // namespace

std::uint64_t post_number(const Post& post) {
  return hash_of({post.subreddit, post.title, post.body});
}

std::vector<std::uint64_t> post_numbers(std::span<const SummaryRow> rows) {
  std::vector<std::uint64_t> numbers;
  for (const SummaryRow& row : rows) {
    numbers.push_back(post_number(row.post));
  }
  return numbers;
}

std::uint64_t pair_number(const Comparison& comparison) {
  const auto [first, second] =
      std::minmax({trimmed(comparison.summaries[0]), trimmed(comparison.summaries[1])});
  return hash_of(
      {comparison.post.subreddit, comparison.post.title, comparison.post.body, first, second});
}

std::string pair_id(const Comparison& comparison) {
  return fmt::format("{:016x}", pair_number(comparison));
}

}  // namespace precis
