#include "parallel/agreement.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "parallel/collectively.hpp"

namespace precis {

namespace {

constexpr std::size_t longest_value = 100;
/// More would bury the cause: a rank with another deck differs in all its keys.
constexpr std::size_t most_named = 3;

void append_text(std::string& packed, std::string_view text) {
  const auto size = static_cast<std::uint64_t>(text.size());
  packed.append(reinterpret_cast<const char*>(&size), sizeof size);
  packed += text;
}

std::string take_text(std::string_view& packed) {
  std::uint64_t size = 0;
  std::memcpy(&size, packed.data(), sizeof size);
  packed.remove_prefix(sizeof size);
  std::string text(packed.substr(0, size));
  packed.remove_prefix(size);
  return text;
}

std::string shown(const std::optional<std::string>& value) {
  if (!value) {
    return "absent";
  }
  if (value->empty()) {
    return "empty";
  }
  if (value->size() <= longest_value) {
    return *value;
  }
  const std::string_view begin = std::string_view(*value).substr(0, longest_value);
  return fmt::format("{}...", begin.substr(0, invalid_utf8_at(begin).value_or(begin.size())));
}

/// What one rank knows.
struct Known {
  std::string host;
  std::vector<std::string> names;  // in their order
  std::map<std::string, std::string> values;

  [[nodiscard]] std::optional<std::string> value_of(const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
};

std::string packed(const std::string& host, const std::vector<Fact>& facts) {
  std::string text;
  append_text(text, host);
  for (const Fact& fact : facts) {
    append_text(text, fact.name);
    append_text(text, fact.value);
  }
  return text;
}

Known unpacked(std::string_view text) {
  Known known;
  known.host = take_text(text);
  while (!text.empty()) {
    known.names.push_back(take_text(text));
    known.values[known.names.back()] = take_text(text);
  }
  return known;
}

/// "train.steps is 12 on rank 0 (host a) and 24 on rank 1 (host b)", for each fact that differs.
std::vector<std::string> differences(const Known& first, const Known& mine, int rank) {
  std::vector<std::string> names = first.names;
  std::copy_if(mine.names.begin(), mine.names.end(), std::back_inserter(names),
               [&](const std::string& name) { return !first.values.contains(name); });
  std::vector<std::string> found;
  for (const std::string& name : names) {
    const auto theirs = first.value_of(name);
    const auto own = mine.value_of(name);
    if (theirs != own) {
      found.push_back(fmt::format("{} is {} on rank 0 (host {}) and {} on rank {} (host {})", name,
                                  shown(theirs), first.host, shown(own), rank, mine.host));
    }
  }
  return found;
}

}  // namespace

void agree_on(RankGroup& ranks, const std::vector<Fact>& mine, std::string_view remedy) {
  const std::string own = packed(ranks.progress().host(), mine);
  const std::string first = ranks.broadcast_text(own, 0);
  collectively(ranks, [&] {
    std::vector<std::string> found = differences(unpacked(first), unpacked(own), ranks.rank());
    if (found.empty()) {
      return;
    }
    const std::size_t named = std::min(found.size(), most_named);
    const std::size_t more = found.size() - named;
    found.resize(named);
    std::string text = joined(found, "; ");
    text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
    fail("{}{}. {}", text, more == 0 ? "" : fmt::format("; and {} more differ", more), remedy);
  });
}

}  // namespace precis
