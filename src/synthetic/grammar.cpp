#include "synthetic/grammar.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>

#include "base/error.hpp"

namespace precis {
namespace {

using std::string_view;

constexpr string_view blanks = " \t\r\n";

constexpr std::array<string_view, 16> people = {
    "sister", "brother",  "mother",   "father", "cousin", "uncle",    "aunt",    "nephew",
    "niece",  "neighbor", "roommate", "boss",   "friend", "coworker", "partner", "landlord"};
constexpr std::array<string_view, 24> ages = {"18", "19", "20", "21", "22", "23", "24", "25",
                                              "26", "27", "28", "29", "30", "31", "32", "33",
                                              "34", "35", "36", "37", "38", "39", "40", "41"};
constexpr std::array<string_view, 8> verbs = {"broke",    "stole", "lost",   "sold",
                                              "borrowed", "hid",   "ruined", "painted"};
constexpr std::array<string_view, 16> objects = {
    "car",  "bike", "laptop", "phone",  "guitar",   "camera", "sofa", "necklace",
    "coat", "desk", "mirror", "violin", "suitcase", "boat",   "lamp", "tent"};
constexpr std::array<string_view, 16> places = {
    "office",  "park",   "beach", "school", "church",  "gym",    "library", "hospital",
    "station", "museum", "farm",  "hotel",  "airport", "market", "cinema",  "bakery"};
// Days first: they take "on", months take "in". May is left out: it reads as a verb.
constexpr int day_count = 7;
constexpr std::array<string_view, 18> times = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",   "Saturday",
    "Sunday", "January", "February",  "March",    "April",    "June",
    "July",   "August",  "September", "October",  "November", "December"};
constexpr std::array<string_view, 12> feelings = {"angry",   "sad",    "worried", "confused",
                                                  "ashamed", "upset",  "hurt",    "scared",
                                                  "jealous", "guilty", "lonely",  "nervous"};
constexpr std::array<string_view, 12> questions = {"forgive", "confront", "sue",  "report",
                                                   "ignore",  "trust",    "help", "call",
                                                   "avoid",   "thank",    "warn", "block"};

constexpr std::array<string_view, slot_count> slot_names = {"who",   "age",  "verb",    "object",
                                                            "place", "time", "feeling", "question"};

Slot slot_named(string_view name) {
  const auto* const found = std::find(slot_names.begin(), slot_names.end(), name);
  assert(found != slot_names.end());
  return static_cast<Slot>(found - slot_names.begin());
}

Slot slot_of(Fact fact) {
  switch (fact) {
    case Fact::who:
      return Slot::who;
    case Fact::age:
      return Slot::age;
    case Fact::event:
      return Slot::verb;
    case Fact::place:
      return Slot::place;
    case Fact::time:
      return Slot::time;
    case Fact::feeling:
      return Slot::feeling;
    case Fact::question:
      return Slot::question;
  }
  fail("Unknown fact number {}.", static_cast<int>(fact));
}

int size_of(Slot slot) { return static_cast<int>(words_of(slot).size()); }

string_view preposition(const Facts& facts) { return facts[Slot::time] < day_count ? "on" : "in"; }

// The next word of a text, cut off from its start.
string_view take_word(string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

}  // namespace

std::span<const string_view> words_of(Slot slot) {
  switch (slot) {
    case Slot::who:
      return people;
    case Slot::age:
      return ages;
    case Slot::verb:
      return verbs;
    case Slot::object:
      return objects;
    case Slot::place:
      return places;
    case Slot::time:
      return times;
    case Slot::feeling:
      return feelings;
    case Slot::question:
      return questions;
  }
  fail("Unknown slot number {}.", static_cast<int>(slot));
}

string_view name_of(Fact fact) {
  return fact == Fact::event ? "event" : slot_names[static_cast<std::size_t>(slot_of(fact))];
}

bool states(const Facts& facts, Fact fact) {
  return facts[slot_of(fact)] != Facts::unstated &&
         (fact != Fact::event || facts[Slot::object] != Facts::unstated);
}

bool agree(const Facts& a, const Facts& b, Fact fact) {
  return a[slot_of(fact)] == b[slot_of(fact)] &&
         (fact != Fact::event || a[Slot::object] == b[Slot::object]);
}

Facts without(Facts facts, Fact fact) {
  facts[slot_of(fact)] = Facts::unstated;
  if (fact == Fact::event) {
    facts[Slot::object] = Facts::unstated;
  }
  return facts;
}

Facts with_another(Facts facts, Fact fact, RandomStream& random) {
  // A step of 1 .. n-1 around the list of n values reaches each other value once.
  const auto step_from = [&random](int value, int n) {
    return (value + 1 + static_cast<int>(random.below(static_cast<std::uint32_t>(n - 1)))) % n;
  };
  if (fact == Fact::event) {
    const int count = size_of(Slot::object);
    const int event =
        step_from(facts[Slot::verb] * count + facts[Slot::object], size_of(Slot::verb) * count);
    facts[Slot::verb] = event / count;
    facts[Slot::object] = event % count;
  } else {
    const Slot slot = slot_of(fact);
    facts[slot] = step_from(facts[slot], size_of(slot));
  }
  return facts;
}

std::uint64_t fact_space() {
  std::uint64_t size = 1;
  for (std::size_t i = 0; i < slot_count; ++i) {
    size *= words_of(static_cast<Slot>(i)).size();
  }
  return size;
}

Facts facts_from_number(std::uint64_t number) {
  assert(number < fact_space());
  Facts facts;
  for (std::size_t i = 0; i < slot_count; ++i) {
    const auto count = words_of(static_cast<Slot>(i)).size();
    facts.words[i] = static_cast<int>(number % count);
    number /= count;
  }
  return facts;
}

std::string fill(string_view pattern, const Facts& facts) {
  std::string sentence;
  for (;;) {
    const auto open = pattern.find('{');
    sentence += pattern.substr(0, open);
    if (open == string_view::npos) {
      return sentence;
    }
    const auto close = pattern.find('}', open);
    const auto name = pattern.substr(open + 1, close - open - 1);
    if (name == "on") {
      sentence += preposition(facts);
    } else {
      const Slot slot = slot_named(name);
      assert(facts[slot] != Facts::unstated);
      sentence += words_of(slot)[static_cast<std::size_t>(facts[slot])];
    }
    pattern.remove_prefix(close + 1);
  }
}

std::optional<Facts> match(string_view pattern, string_view sentence) {
  Facts facts;
  const auto whole_pattern = pattern;
  const auto whole_sentence = sentence;
  while (!pattern.empty() && !sentence.empty()) {
    const auto expected = take_word(pattern);
    auto word = take_word(sentence);
    if (expected.front() != '{') {
      if (word != expected) {
        return std::nullopt;
      }
      continue;
    }
    const auto close = expected.find('}');
    const auto name = expected.substr(1, close - 1);
    if (name == "on") {
      continue;
    }
    const auto mark = expected.substr(close + 1);
    if (!word.ends_with(mark)) {
      return std::nullopt;
    }
    word.remove_suffix(mark.size());
    const Slot slot = slot_named(name);
    const auto words = words_of(slot);
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) {
      return std::nullopt;
    }
    facts[slot] = static_cast<int>(found - words.begin());
  }
  // Writing it again settles what the loop let pass: the preposition, a word too many or too few.
  if (!pattern.empty() || !sentence.empty() || fill(whole_pattern, facts) != whole_sentence) {
    return std::nullopt;
  }
  return facts;
}

std::optional<Facts> match_any(std::span<const string_view> patterns, string_view sentence) {
  for (const auto pattern : patterns) {
    if (const auto facts = match(pattern, sentence)) {
      return facts;
    }
  }
  return std::nullopt;
}

bool merge(Facts& facts, const Facts& more) {
  for (std::size_t i = 0; i < slot_count; ++i) {
    if (more.words[i] == Facts::unstated) {
      continue;
    }
    if (facts.words[i] != Facts::unstated && facts.words[i] != more.words[i]) {
      return false;
    }
    facts.words[i] = more.words[i];
  }
  return true;
}

std::vector<string_view> sentences_of(string_view text) {
  std::vector<string_view> sentences;
  for (;;) {
    const auto start = text.find_first_not_of(blanks);
    if (start == string_view::npos) {
      return sentences;
    }
    text.remove_prefix(start);
    const auto end = text.find_first_of(".?");
    if (end == string_view::npos) {
      sentences.push_back(text.substr(0, text.find_last_not_of(blanks) + 1));
      return sentences;
    }
    sentences.push_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
}

int count_words(string_view text) {
  int count = 0;
  bool inside = false;
  for (const char c : text) {
    const bool blank = blanks.find(c) != string_view::npos;
    count += !blank && !inside ? 1 : 0;
    inside = !blank;
  }
  return count;
}

}  // namespace precis
