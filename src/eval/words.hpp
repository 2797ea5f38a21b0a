// The words of a text, as evaluations count and compare them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// The length in words: runs of anything but blanks and newlines.
[[nodiscard]] std::int64_t word_count(std::string_view text);

/// The words that ROUGE compares (Google's rouge_score): the lower-cased text's runs of [a-z0-9];
/// with `stemmer`, words of more than three letters by their Porter stem. `text` is UTF-8; letters
/// outside of ASCII separate words, but for the two whose lower case is an ASCII letter.
[[nodiscard]] std::vector<std::string> rouge_words(std::string_view text, bool stemmer);

/// One line per sentence: sentences end with . ! or ? (and closing quotes or brackets) before a
/// blank, but not after a title ("Mr."), a single letter or "U.S."; newlines of the text end them
/// too.
[[nodiscard]] std::vector<std::string> split_sentences(std::string_view text);

}  // namespace precis
