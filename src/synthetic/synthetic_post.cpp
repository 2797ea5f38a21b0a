#include "synthetic/synthetic_post.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <vector>

#include "base/error.hpp"

namespace precis {
namespace {

using std::string_view;

constexpr std::array<string_view, 8> subreddits = {
    "advice", "relationships", "family", "roommates", "work", "legaladvice", "college", "money"};

constexpr std::array<string_view, 6> titles = {
    "My {who} and my {object}",     "Trouble with my {who}", "What would you do?",
    "A question about my {object}", "I need some advice",    "Advice about my {who}"};

// Event, place and time may share sentences in four ways; each way lists the wordings of its one or
// two sentences.
constexpr std::array<string_view, 4> events = {"My {who} {verb} my {object}.",
                                               "It turns out that my {who} {verb} my {object}.",
                                               "I just learned that my {who} {verb} my {object}.",
                                               "The problem is my {who} {verb} my {object}."};
constexpr std::array<string_view, 4> events_with_place = {
    "My {who} {verb} my {object} at the {place}.",
    "It turns out that my {who} {verb} my {object} at the {place}.",
    "I just learned that my {who} {verb} my {object} at the {place}.",
    "The problem is my {who} {verb} my {object} at the {place}."};
constexpr std::array<string_view, 4> events_with_time = {
    "My {who} {verb} my {object} {on} {time}.",
    "It turns out that my {who} {verb} my {object} {on} {time}.",
    "I just learned that my {who} {verb} my {object} {on} {time}.",
    "The problem is my {who} {verb} my {object} {on} {time}."};
constexpr std::array<string_view, 4> events_with_both = {
    "My {who} {verb} my {object} at the {place} {on} {time}.",
    "My {who} {verb} my {object} {on} {time} at the {place}.",
    "It turns out that my {who} {verb} my {object} at the {place} {on} {time}.",
    "I just learned that my {who} {verb} my {object} {on} {time} at the {place}."};
constexpr std::array<string_view, 3> place_sentences = {
    "It happened at the {place}.", "We were at the {place}.", "This took place at the {place}."};
constexpr std::array<string_view, 3> time_sentences = {
    "It happened {on} {time}.", "It was {on} {time}.", "This took place {on} {time}."};
constexpr std::array<string_view, 3> place_and_time_sentences = {
    "It happened at the {place} {on} {time}.", "It was {on} {time} at the {place}.",
    "This took place {on} {time} at the {place}."};
constexpr std::array<string_view, 3> age_sentences = {"My {who} is {age} years old.",
                                                      "My {who} turned {age} this year.",
                                                      "For context, my {who} is {age}."};
constexpr std::array<string_view, 4> feeling_sentences = {
    "I feel {feeling} about it.", "Now I am really {feeling}.", "It made me very {feeling}.",
    "I have been {feeling} ever since."};
constexpr std::array<string_view, 4> question_sentences = {
    "Should I {question} them?", "Would it be wrong to {question} them?",
    "I wonder if I should {question} them.", "Is it time to {question} them?"};

constexpr std::array<std::span<const string_view>, 10> telling = {events,
                                                                  events_with_place,
                                                                  events_with_time,
                                                                  events_with_both,
                                                                  place_sentences,
                                                                  time_sentences,
                                                                  place_and_time_sentences,
                                                                  age_sentences,
                                                                  feeling_sentences,
                                                                  question_sentences};

constexpr std::array<string_view, 12> plain_distractors = {"The weather was nice.",
                                                           "I had soup for dinner.",
                                                           "Sorry for the wall of text.",
                                                           "This is my first post.",
                                                           "I did not sleep well.",
                                                           "We used to get along.",
                                                           "I work a lot these days.",
                                                           "Money is tight right now.",
                                                           "I do not know what to say.",
                                                           "Everyone tells me to relax.",
                                                           "I am posting from my account at work.",
                                                           "Thank you for reading."};
constexpr std::array<string_view, 5> confusing_distractors = {
    "My {who} says I should calm down.", "My {who} works at the {place}.",
    "I also own an old {object}.", "I wanted to go to the {place} today.",
    "My {who} once gave me a {object} as a present."};

template <class List>
const auto& pick(const List& list, RandomStream& random) {
  return list[random.below(static_cast<std::uint32_t>(std::size(list)))];
}

using Block = std::vector<std::string>;  // Sentences that stay together.

Block write_event(const Facts& facts, RandomStream& random) {
  const auto sentence = [&](std::span<const string_view> patterns) {
    return fill(pick(patterns, random), facts);
  };
  // One draw a statement: the order in which braces or arguments are evaluated must not matter.
  const auto two = [&](std::span<const string_view> first, std::span<const string_view> second) {
    Block block = {sentence(first)};
    block.push_back(sentence(second));
    return block;
  };
  switch (random.below(4)) {
    case 0:
      return {sentence(events_with_both)};
    case 1:
      return two(events_with_place, time_sentences);
    case 2:
      return two(events_with_time, place_sentences);
    default:
      return two(events, place_and_time_sentences);
  }
}

std::vector<Block> write_distractors(const Facts& facts, const PostOptions& options,
                                     RandomStream& random) {
  const auto range =
      static_cast<std::uint32_t>(options.most_distractors - options.least_distractors + 1);
  const auto count = static_cast<std::size_t>(options.least_distractors) + random.below(range);
  std::set<string_view> used;
  std::vector<Block> blocks;
  while (blocks.size() < count) {
    const bool confusing = random.chance(options.confuse);
    const auto pattern =
        confusing ? pick(confusing_distractors, random) : pick(plain_distractors, random);
    // Different words, for the slots that such sentences use.
    Facts other = with_another(facts, Fact::who, random);
    other = with_another(other, Fact::place, random);
    while (other[Slot::object] == facts[Slot::object]) {
      other = with_another(other, Fact::event, random);
    }
    if (used.insert(pattern).second) {
      blocks.push_back({fill(pattern, other)});
    }
  }
  return blocks;
}

void shuffle(std::vector<Block>& blocks, RandomStream& random) {
  for (std::size_t i = blocks.size(); i > 1; --i) {
    std::swap(blocks[i - 1], blocks[random.below(static_cast<std::uint32_t>(i))]);
  }
}

void check(const PostOptions& options) {
  // With a share of 0 or 1 only one of the two kinds can fill the post.
  const int available = options.confuse <= 0 ? plain_distractor_count()
                        : options.confuse >= 1
                            ? confusing_distractor_count()
                            : plain_distractor_count() + confusing_distractor_count();
  if (!(options.confuse >= 0 && options.confuse <= 1)) {
    fail_usage("The share of confusing distractors is {}; it must be between 0 and 1.",
               options.confuse);
  }
  if (options.least_distractors < 0 || options.least_distractors > options.most_distractors ||
      options.most_distractors > available) {
    fail_usage(
        "A post cannot have {} to {} distractors: the numbers must rise from at least 0 to at most "
        "{}, the number of different distractors with this share of confusing ones.",
        options.least_distractors, options.most_distractors, available);
  }
}

}  // namespace

int plain_distractor_count() { return static_cast<int>(plain_distractors.size()); }

int confusing_distractor_count() { return static_cast<int>(confusing_distractors.size()); }

Post write_post(const Facts& facts, const PostOptions& options, RandomStream& random) {
  check(options);
  Post post;
  post.subreddit = pick(subreddits, random);
  post.title = fill(pick(titles, random), facts);

  std::vector<Block> blocks = {write_event(facts, random)};
  blocks.push_back({fill(pick(age_sentences, random), facts)});
  blocks.push_back({fill(pick(feeling_sentences, random), facts)});
  for (auto& distractor : write_distractors(facts, options, random)) {
    blocks.push_back(std::move(distractor));
  }
  shuffle(blocks, random);
  // People mostly ask at the end.
  const bool asked_last = random.chance(0.7);
  const auto place =
      asked_last ? blocks.size() : random.below(static_cast<std::uint32_t>(blocks.size() + 1));
  blocks.insert(blocks.begin() + static_cast<std::ptrdiff_t>(place),
                Block{fill(pick(question_sentences, random), facts)});

  for (const auto& block : blocks) {
    for (const auto& sentence : block) {
      post.body += (post.body.empty() ? "" : " ") + sentence;
    }
  }
  return post;
}

std::optional<Facts> read_post(string_view body) {
  Facts facts;
  for (const auto sentence : sentences_of(body)) {
    std::optional<Facts> told;
    for (const auto patterns : telling) {
      if (!told) {
        told = match_any(patterns, sentence);
      }
    }
    if (told ? !merge(facts, *told)
             : !match_any(plain_distractors, sentence) &&
                   !match_any(confusing_distractors, sentence)) {
      return std::nullopt;
    }
  }
  const bool complete = std::all_of(all_facts.begin(), all_facts.end(),
                                    [&](Fact fact) { return states(facts, fact); });
  return complete ? std::optional(facts) : std::nullopt;
}

}  // namespace precis
