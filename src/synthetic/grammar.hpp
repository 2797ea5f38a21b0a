// The small English of the embedded data set: facts, the words that state them, and sentence
// patterns that are both written and read.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"

namespace precis {

/// A place in a sentence pattern that a word of its own list fills: "{who}", "{age}", ...
enum class Slot { who, age, verb, object, place, time, feeling, question };
inline constexpr std::size_t slot_count = 8;

/// The words of a slot. No word occurs in two lists. In posts and summaries a word always follows a
/// blank, so that a byte-level BPE gives it the same tokens in both.
[[nodiscard]] std::span<const std::string_view> words_of(Slot slot);

/// What a post or a summary says: an index into `words_of` for each slot, or `unstated`.
struct Facts {
  static constexpr int unstated = -1;
  std::array<int, slot_count> words = {unstated, unstated, unstated, unstated,
                                       unstated, unstated, unstated, unstated};

  [[nodiscard]] int& operator[](Slot slot) { return words[static_cast<std::size_t>(slot)]; }
  [[nodiscard]] int operator[](Slot slot) const { return words[static_cast<std::size_t>(slot)]; }
  bool operator==(const Facts&) const = default;
};

/// The key facts of a post: the slots, with verb and object as one event.
enum class Fact { who, age, event, place, time, feeling, question };
inline constexpr std::array<Fact, 7> all_facts = {
    Fact::who, Fact::age, Fact::event, Fact::place, Fact::time, Fact::feeling, Fact::question};

[[nodiscard]] std::string_view name_of(Fact fact);
/// Whether `facts` state this fact (an event: its verb and its object).
[[nodiscard]] bool states(const Facts& facts, Fact fact);
/// Whether both say the same about this fact.
[[nodiscard]] bool agree(const Facts& a, const Facts& b, Fact fact);
/// `facts` without this one.
[[nodiscard]] Facts without(Facts facts, Fact fact);
/// `facts` with another word for this fact, uniform over all others (an event: over the pairs of
/// verb and object).
[[nodiscard]] Facts with_another(Facts facts, Fact fact, RandomStream& random);

/// The number of different complete `Facts`.
[[nodiscard]] std::uint64_t fact_space();
/// The complete facts with this number, below `fact_space()`.
[[nodiscard]] Facts facts_from_number(std::uint64_t number);

/// A sentence from a pattern such as "My {who} is {age} years old."; "{on}" becomes the preposition
/// of the time ("on" a day, "in" a month). Every slot named must be stated.
[[nodiscard]] std::string fill(std::string_view pattern, const Facts& facts);

/// Reads a sentence that `fill` could have written from this pattern back into the facts stated;
/// nothing if it could not have.
[[nodiscard]] std::optional<Facts> match(std::string_view pattern, std::string_view sentence);

/// The facts of the first pattern that matches.
[[nodiscard]] std::optional<Facts> match_any(std::span<const std::string_view> patterns,
                                             std::string_view sentence);

/// Adds what `more` states to `facts`; false if both state a slot and differ.
[[nodiscard]] bool merge(Facts& facts, const Facts& more);

/// The sentences of a text: up to and including each '.' or '?', and the rest if any, without
/// blanks and line ends around them.
[[nodiscard]] std::vector<std::string_view> sentences_of(std::string_view text);

/// The number of runs of characters other than blanks, tabs and line ends.
[[nodiscard]] int count_words(std::string_view text);

}  // namespace precis
