#include "synthetic/summary.hpp"

#include <array>

namespace precis {
namespace {

using std::string_view;

// Bit 0: with the age, bit 1: with the place, bit 2: with the time.
constexpr std::array<string_view, 8> openings = {
    "My {who} {verb} my {object}.",
    "My {who}, {age}, {verb} my {object}.",
    "My {who} {verb} my {object} at the {place}.",
    "My {who}, {age}, {verb} my {object} at the {place}.",
    "My {who} {verb} my {object} {on} {time}.",
    "My {who}, {age}, {verb} my {object} {on} {time}.",
    "My {who} {verb} my {object} at the {place} {on} {time}.",
    "My {who}, {age}, {verb} my {object} at the {place} {on} {time}."};
constexpr std::array<string_view, 2> feeling_sentences = {"I feel {feeling}.", "I am {feeling}."};
constexpr std::array<string_view, 2> question_sentences = {"Should I {question} them?",
                                                           "Is it OK to {question} them?"};

}  // namespace

std::string write_summary(const Facts& facts, RandomStream& random) {
  const std::size_t parts = (states(facts, Fact::age) ? 1U : 0U) |
                            (states(facts, Fact::place) ? 2U : 0U) |
                            (states(facts, Fact::time) ? 4U : 0U);
  std::string text = fill(openings[parts], facts);
  // Both wordings are drawn always, so that what is left out does not change the rest.
  const auto feeling = feeling_sentences[random.below(2)];
  const auto question = question_sentences[random.below(2)];
  if (states(facts, Fact::feeling)) {
    text += " " + fill(feeling, facts);
  }
  if (states(facts, Fact::question)) {
    text += " " + fill(question, facts);
  }
  return text;
}

SummaryContent read_summary(string_view text) {
  SummaryContent content;
  for (const auto sentence : sentences_of(text)) {
    auto stated = match_any(openings, sentence);
    stated = stated ? stated : match_any(feeling_sentences, sentence);
    stated = stated ? stated : match_any(question_sentences, sentence);
    if (stated) {
      content.sentences.push_back(*stated);
    } else {
      ++content.unparsed;
    }
  }
  return content;
}

}  // namespace precis
