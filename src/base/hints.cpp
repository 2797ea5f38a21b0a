#include "base/hints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace precis {
namespace {

/// More than this many words are no hint.
constexpr std::size_t most_words = 3;
/// Fewer letters begin or end too many names.
constexpr std::size_t least_part = 3;

struct Name {
  std::string section;
  std::string name;
};

Name name_of(std::string_view word) {
  std::string text{word};
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::tolower(c));
  });
  const auto dot = text.rfind('.');
  return dot == std::string::npos
             ? Name{.section = "", .name = text}
             : Name{.section = text.substr(0, dot), .name = text.substr(dot + 1)};
}

/// The distance, if it is small for words of this length.
std::optional<std::size_t> slips(std::string_view a, std::string_view b) {
  const std::size_t distance = edit_distance(a, b);
  const std::size_t most = std::min<std::size_t>(3, std::max(a.size(), b.size()) / 3);
  return distance <= most ? std::optional{distance} : std::nullopt;
}

/// What the word may be read as: as it stands, and with a section that is joined to the name.
std::vector<Name> readings(std::string_view word, std::span<const Name> known) {
  std::vector<Name> all{name_of(word)};
  const Name given = all.front();
  for (const Name& one : known) {
    if (given.section.empty() && !one.section.empty() &&
        given.name.starts_with(one.section + "_") && given.name.size() > one.section.size() + 1) {
      all.push_back({.section = one.section, .name = given.name.substr(one.section.size() + 1)});
    }
  }
  return all;
}

/// The words with the smallest rank, in their order; a word without a rank is left out.
template <class Rank>
std::vector<std::string> best(std::span<const std::string> words, std::span<const Name> known,
                              const Rank& rank_of) {
  using Found = decltype(rank_of(known.front()));
  Found smallest;
  std::vector<std::string> found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Found rank = rank_of(known[i]);
    if (rank && (!smallest || *rank < *smallest)) {
      smallest = rank;
      found.clear();
    }
    if (rank && rank == smallest) {
      found.push_back(words[i]);
    }
  }
  return found.size() <= most_words ? found : std::vector<std::string>{};
}

/// How far apart two sections are: 0 where the word has none, 3 where they are different.
std::size_t section_rank(const std::string& given, const std::string& known) {
  return given.empty() ? 0 : std::min<std::size_t>(3, slips(given, known).value_or(3));
}

std::optional<std::size_t> same_name(std::string_view name, std::string_view wanted) {
  return name == wanted ? std::optional<std::size_t>{0} : std::nullopt;
}

std::optional<std::size_t> begins_or_ends(std::string_view name, std::string_view part) {
  const bool found = part.size() >= least_part && name.size() > part.size() &&
                     (name.starts_with(part) ||
                      (name.ends_with(part) && name[name.size() - part.size() - 1] == '_'));
  return found ? std::optional<std::size_t>{0} : std::nullopt;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Row i holds the distances of a's first i letters to every beginning of b.
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

Hint meant_by(std::string_view word, std::span<const std::string> words,
              std::span<const Alias> aliases) {
  std::vector<Name> known;
  known.reserve(words.size());
  for (const std::string& one : words) {
    known.push_back(name_of(one));
  }
  const std::vector<Name> given = readings(word, known);
  using Rank = std::optional<std::pair<std::size_t, std::size_t>>;
  const auto by = [&](std::span<const Name> read, const auto& distance) {
    return best(words, known, [&](const Name& one) {
      Rank rank;
      for (const Name& reading : read) {
        if (const std::optional<std::size_t> found = distance(one.name, reading.name)) {
          const std::pair found_rank{*found, section_rank(reading.section, one.section)};
          rank = std::min(rank.value_or(found_rank), found_rank);
        }
      }
      return rank;
    });
  };

  // `reward_model` as it stands comes before the name `model` of a section `reward`.
  for (const Name& reading : given) {
    if (auto same = by({&reading, 1}, same_name); !same.empty()) {
      return {.words = std::move(same), .note = {}};
    }
    for (const Alias& alias : aliases) {
      if (alias.name == reading.name &&
          std::find(words.begin(), words.end(), alias.word) != words.end()) {
        return {.words = {std::string{alias.word}}, .note = alias.note};
      }
    }
  }
  if (auto close = by(given, slips); !close.empty()) {
    return {.words = std::move(close), .note = {}};
  }
  // A slip in a name from elsewhere.
  const Alias* closest = nullptr;
  std::size_t least = 0;
  for (const Alias& alias : aliases) {
    const auto distance = slips(alias.name, given.front().name);
    if (distance && (closest == nullptr || *distance < least) &&
        std::find(words.begin(), words.end(), alias.word) != words.end()) {
      closest = &alias;
      least = *distance;
    }
  }
  if (closest != nullptr) {
    return {.words = {std::string{closest->word}}, .note = closest->note};
  }
  return {.words = by(given, begins_or_ends), .note = {}};
}

std::string question(const Hint& hint, std::string_view prefix) {
  std::string text;
  for (const std::string& word : hint.words) {
    text += fmt::format("{}{}{}", text.empty() ? " Did you mean " : " or ", prefix, word);
  }
  if (!text.empty()) {
    text += '?';
    text += hint.note.empty() ? "" : fmt::format(" {}", hint.note);
  }
  return text;
}

}  // namespace precis
