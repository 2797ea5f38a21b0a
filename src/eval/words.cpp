#include "eval/words.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "eval/porter.hpp"

namespace precis {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

bool is_blank(char c) { return blanks.find(c) != std::string_view::npos; }

/// The ASCII letter or digit that a character begins with when it is lower-cased, or 0, and how
/// many bytes the character has.
struct Letter {
  char lower = 0;
  std::size_t bytes = 1;
};

Letter letter_at(std::string_view text, std::size_t at) {
  const char c = text[at];
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
    return {.lower = c};
  }
  if (c >= 'A' && c <= 'Z') {
    return {.lower = static_cast<char>(c - 'A' + 'a')};
  }
  if (text.substr(at, 3) == "\xE2\x84\xAA") {  // the Kelvin sign
    return {.lower = 'k', .bytes = 3};
  }
  return {};
}

/// Whether the full stop that this text ends with belongs to an abbreviation.
bool is_abbreviation(std::string_view text) {
  static constexpr std::array<std::string_view, 21> titles = {
      "mr",  "mrs", "ms",  "dr",  "prof", "st", "jr", "sr",  "gen", "col", "lt",
      "sgt", "rep", "sen", "gov", "rev",  "vs", "mt", "inc", "ltd", "co"};
  text.remove_suffix(1);
  const auto begin = text.find_last_of(" \t\r\n('\"`");
  std::string word(begin == std::string_view::npos ? text : text.substr(begin + 1));
  std::ranges::transform(word, word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const bool initials = !word.empty() && (word.size() == 1 || word[word.size() - 2] == '.') &&
                        word.back() >= 'a' && word.back() <= 'z';
  return initials || std::ranges::find(titles, word) != titles.end();
}

}  // namespace

std::int64_t word_count(std::string_view text) {
  std::int64_t count = 0;
  bool in_word = false;
  for (const char c : text) {
    count += !is_blank(c) && !in_word ? 1 : 0;
    in_word = !is_blank(c);
  }
  return count;
}

std::vector<std::string> rouge_words(std::string_view text, bool stemmer) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) {
      words.push_back(stemmer && word.size() > 3 ? porter_stem(std::move(word)) : std::move(word));
      word.clear();
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 2) == "\xC4\xB0") {  // I with a dot: an i, and a dot that separates
      word += 'i';
      end_word();
      at += 2;
      continue;
    }
    const Letter letter = letter_at(text, at);
    if (letter.lower != 0) {
      word += letter.lower;
    } else {
      end_word();
    }
    at += letter.bytes;
  }
  end_word();
  return words;
}

std::vector<std::string> split_sentences(std::string_view text) {
  std::vector<std::string> sentences;
  std::size_t begin = 0;
  const auto end_at = [&](std::size_t end) {
    if (const auto sentence = trimmed(text.substr(begin, end - begin)); !sentence.empty()) {
      sentences.emplace_back(sentence);
    }
    begin = end;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      end_at(i);
      begin = i + 1;
      continue;
    }
    if (text[i] != '.' && text[i] != '!' && text[i] != '?') {
      continue;
    }
    const bool abbreviates = text[i] == '.' && is_abbreviation(text.substr(begin, i + 1 - begin));
    const std::size_t end = std::min(text.find_first_not_of(".!?'\"`)]", i), text.size());
    if (end == text.size() || (is_blank(text[end]) && !abbreviates)) {
      end_at(end);
    }
    i = end - 1;
  }
  end_at(text.size());
  return sentences;
}

}  // namespace precis
