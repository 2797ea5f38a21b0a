#include "eval/porter.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace precis {
namespace {

using std::string_view;

constexpr std::array<std::pair<string_view, string_view>, 16> irregular = {{
    {"sky", "sky"},
    {"skies", "sky"},
    {"dying", "die"},
    {"lying", "lie"},
    {"tying", "tie"},
    {"news", "news"},
    {"innings", "inning"},
    {"inning", "inning"},
    {"outings", "outing"},
    {"outing", "outing"},
    {"cannings", "canning"},
    {"canning", "canning"},
    {"howe", "howe"},
    {"proceed", "proceed"},
    {"exceed", "exceed"},
    {"succeed", "succeed"},
}};

bool is_vowel_letter(char c) { return string_view("aeiou").find(c) != string_view::npos; }

/// A consonant is any letter but a, e, i, o, u, and y after a consonant.
bool is_consonant(string_view word, std::size_t i) {
  bool consonant = !is_vowel_letter(word[0]);
  for (std::size_t k = 1; k <= i; ++k) {
    consonant = word[k] == 'y' ? !consonant : !is_vowel_letter(word[k]);
  }
  return consonant;
}

bool contains_vowel(string_view word) {
  bool before = false;
  for (const char c : word) {
    before = c == 'y' ? !before : !is_vowel_letter(c);
    if (!before) {
      return true;
    }
  }
  return false;
}

/// Porter's m: how often a consonant follows a vowel.
int measure(string_view word) {
  int m = 0;
  bool before = false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool consonant = word[i] == 'y' ? !before : !is_vowel_letter(word[i]);
    m += i > 0 && consonant && !before ? 1 : 0;
    before = consonant;
  }
  return m;
}

bool ends_in_double_consonant(string_view word) {
  const std::size_t n = word.size();
  return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

/// Porter's *o: consonant, vowel, consonant but w, x, y; NLTK: also a word of vowel and consonant.
bool ends_in_cvc(string_view word) {
  const std::size_t n = word.size();
  if (n == 2) {
    return !is_consonant(word, 0) && is_consonant(word, 1);
  }
  return n >= 3 && is_consonant(word, n - 3) && !is_consonant(word, n - 2) &&
         is_consonant(word, n - 1) && string_view("wxy").find(word[n - 1]) == string_view::npos;
}

struct Rule {
  string_view suffix;
  string_view replacement;
};

void replace_end(std::string& word, string_view suffix, string_view replacement) {
  word.replace(word.size() - suffix.size(), suffix.size(), replacement);
}

string_view without(const std::string& word, string_view suffix) {
  return string_view(word).substr(0, word.size() - suffix.size());
}

/// The first rule whose suffix the word has decides: it is applied if what is left has a measure
/// above `least`.
void apply(std::string& word, std::span<const Rule> rules, int least) {
  for (const Rule& rule : rules) {
    if (word.ends_with(rule.suffix)) {
      if (measure(without(word, rule.suffix)) > least) {
        replace_end(word, rule.suffix, rule.replacement);
      }
      return;
    }
  }
}

void plural(std::string& word) {  // step 1a
  if (word.ends_with("sses") || (word.ends_with("ies") && word.size() != 4)) {
    word.resize(word.size() - 2);
  } else if (word.ends_with('s') && !word.ends_with("ss")) {
    word.pop_back();
  }
}

void past_and_gerund(std::string& word) {  // step 1b
  if (word.ends_with("ied")) {
    word.resize(word.size() - (word.size() == 4 ? 1 : 2));
    return;
  }
  if (word.ends_with("eed")) {
    if (measure(without(word, "eed")) > 0) {
      word.pop_back();
    }
    return;
  }
  const string_view suffix = word.ends_with("ed") ? "ed" : word.ends_with("ing") ? "ing" : "";
  if (suffix.empty() || !contains_vowel(without(word, suffix))) {
    return;
  }
  word.resize(word.size() - suffix.size());
  const bool lost_its_e = word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz");
  if (!lost_its_e && ends_in_double_consonant(word)) {
    if (string_view("lsz").find(word.back()) == string_view::npos) {
      word.pop_back();
    }
  } else if (lost_its_e || (measure(word) == 1 && ends_in_cvc(word))) {
    word += 'e';
  }
}

void final_y(std::string& word) {  // step 1c
  if (word.size() > 2 && word.ends_with('y') && is_consonant(word, word.size() - 2)) {
    word.back() = 'i';
  }
}

void double_suffix(std::string& word) {  // step 2
  static constexpr std::array<Rule, 20> rules = {
      {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
       {"izer", "ize"},    {"bli", "ble"},     {"entli", "ent"},   {"eli", "e"},
       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},
       {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"},
       {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},  {"fulli", "ful"}}};
  if (word.ends_with("alli") && measure(without(word, "alli")) > 0) {
    replace_end(word, "alli", "al");
  }
  if (word.ends_with("logi")) {
    // The l counts with the stem, so that "geologi" becomes "geolog".
    if (measure(without(word, "ogi")) > 0) {
      word.pop_back();
    }
  } else {
    apply(word, rules, 0);
  }
}

void single_suffix(std::string& word) {  // step 3
  static constexpr std::array<Rule, 7> rules = {{{"icate", "ic"},
                                                 {"ative", ""},
                                                 {"alize", "al"},
                                                 {"iciti", "ic"},
                                                 {"ical", "ic"},
                                                 {"ful", ""},
                                                 {"ness", ""}}};
  apply(word, rules, 0);
}

void long_suffix(std::string& word) {  // step 4
  static constexpr std::array<Rule, 18> rules = {{{"al", ""},
                                                  {"ance", ""},
                                                  {"ence", ""},
                                                  {"er", ""},
                                                  {"ic", ""},
                                                  {"able", ""},
                                                  {"ible", ""},
                                                  {"ant", ""},
                                                  {"ement", ""},
                                                  {"ment", ""},
                                                  {"ent", ""},
                                                  {"ou", ""},
                                                  {"ism", ""},
                                                  {"ate", ""},
                                                  {"iti", ""},
                                                  {"ous", ""},
                                                  {"ive", ""},
                                                  {"ize", ""}}};
  if (word.ends_with("ion")) {
    const string_view stem = without(word, "ion");
    if (measure(stem) > 1 && (stem.ends_with('s') || stem.ends_with('t'))) {
      word.resize(stem.size());
    }
    return;
  }
  apply(word, rules, 1);
}

void final_e(std::string& word) {  // step 5a
  if (word.ends_with('e')) {
    const string_view stem = without(word, "e");
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_in_cvc(stem))) {
      word.pop_back();
    }
  }
}

void double_l(std::string& word) {  // step 5b
  if (word.ends_with("ll") && measure(without(word, "l")) > 1) {
    word.pop_back();
  }
}

}  // namespace

std::string porter_stem(std::string word) {
  const auto* const found =
      std::ranges::find(irregular, string_view(word), &std::pair<string_view, string_view>::first);
  if (found != irregular.end()) {
    return std::string(found->second);
  }
  if (word.size() <= 2) {
    return word;
  }
  plural(word);
  past_and_gerund(word);
  final_y(word);
  double_suffix(word);
  single_suffix(word);
  long_suffix(word);
  final_e(word);
  double_l(word);
  return word;
}

}  // namespace precis
