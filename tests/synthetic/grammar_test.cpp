#include "synthetic/grammar.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "synthetic/summary.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

TEST(Grammar, NoWordIsInTwoLists) {
  std::set<std::string_view> seen;
  std::size_t count = 0;
  for (std::size_t i = 0; i < slot_count; ++i) {
    for (const auto word : words_of(static_cast<Slot>(i))) {
      seen.insert(word);
      ++count;
    }
  }
  EXPECT_EQ(seen.size(), count);
}

TEST(Grammar, FactNumbersAreDistinctAtTheEndsOfTheSpace) {
  const Facts first = facts_from_number(0);
  const Facts last = facts_from_number(fact_space() - 1);
  for (std::size_t i = 0; i < slot_count; ++i) {
    EXPECT_EQ(first.words[i], 0);
    EXPECT_EQ(last.words[i] + 1, static_cast<int>(words_of(static_cast<Slot>(i)).size()));
  }
}

TEST(Grammar, MatchReadsWhatFillWrote) {
  const Facts facts = facts_from_number(123'456'789);
  const std::string_view pattern =
      "My {who}, {age}, {verb} my {object} at the {place} {on} {time}.";
  const auto read = match(pattern, fill(pattern, facts));
  ASSERT_TRUE(read);
  Facts expected = without(without(facts, Fact::feeling), Fact::question);
  EXPECT_EQ(*read, expected);
}

TEST(Grammar, MatchRefusesWhatFillCannotWrite) {
  const std::string_view pattern = "It was {on} {time} at the {place}.";
  EXPECT_TRUE(match(pattern, "It was on Monday at the park."));
  EXPECT_TRUE(match(pattern, "It was in March at the park."));
  EXPECT_FALSE(match(pattern, "It was in Monday at the park."));
  EXPECT_FALSE(match(pattern, "It was on Monday at the park"));
  EXPECT_FALSE(match(pattern, "It was on Monday at the park. "));
  EXPECT_FALSE(match(pattern, "It was on  Monday at the park."));
  EXPECT_FALSE(match(pattern, "It was on Monday at the car."));
  EXPECT_FALSE(match(pattern, "It was on Monday at the"));
  EXPECT_FALSE(match(pattern, "It was on Monday at the park. today."));
  EXPECT_FALSE(match(pattern, ""));
}

TEST(Grammar, AnotherFactIsUniformOverTheOthers) {
  RandomStream random(1, Purpose::testing, 0);
  const Facts facts = facts_from_number(987'654'321);
  for (const Fact fact : all_facts) {
    std::set<std::array<int, slot_count>> seen;
    for (int i = 0; i < 4000; ++i) {
      const Facts other = with_another(facts, fact, random);
      EXPECT_FALSE(agree(facts, other, fact));
      for (const Fact rest : all_facts) {
        EXPECT_TRUE(rest == fact || agree(facts, other, rest));
      }
      seen.insert(other.words);
    }
    const auto values = fact == Fact::event
                            ? words_of(Slot::verb).size() * words_of(Slot::object).size()
                        : fact == Fact::who   ? words_of(Slot::who).size()
                        : fact == Fact::age   ? words_of(Slot::age).size()
                        : fact == Fact::place ? words_of(Slot::place).size()
                        : fact == Fact::time  ? words_of(Slot::time).size()
                                              : words_of(Slot::feeling).size();
    EXPECT_EQ(seen.size(), values - 1) << name_of(fact);
  }
}

TEST(Grammar, SentencesEndInAMarkAndTheRestIsOne) {
  const auto sentences = sentences_of("  One two. Three?\n four  ");
  ASSERT_EQ(sentences.size(), 3U);
  EXPECT_EQ(sentences[0], "One two.");
  EXPECT_EQ(sentences[1], "Three?");
  EXPECT_EQ(sentences[2], "four");
  EXPECT_TRUE(sentences_of(" \n").empty());
  EXPECT_TRUE(sentences_of("").empty());
}

TEST(Grammar, WordsAreRunsOfOtherThanBlanks) {
  EXPECT_EQ(count_words(""), 0);
  EXPECT_EQ(count_words("  one\ttwo,\nthree four. "), 4);
}

TEST(Post, AContradictionAMissingFactOrAForeignSentenceIsNotRead) {
  const std::string rest = " I feel sad about it. Should I call them?";
  const std::string good =
      "My boss lost my bike at the farm in June. My boss is 40 years old." + rest;
  EXPECT_TRUE(read_post(good));
  EXPECT_FALSE(
      read_post("My boss lost my bike at the farm in June. My aunt is 40 years old." + rest));
  EXPECT_FALSE(read_post("My boss lost my bike at the farm in June." + rest));
  EXPECT_FALSE(read_post(good + " To be or not to be."));
  EXPECT_FALSE(read_post(""));
}

TEST(Post, ASentenceAboutASecondPersonTellsNoFact) {
  const std::string good =
      "My boss lost my bike at the farm in June. My boss is 40 years old. I feel sad about it. "
      "Should "
      "I call them?";
  const auto facts = read_post(good);
  const auto confused = read_post("My aunt works at the gym. " + good + " I also own an old car.");
  ASSERT_TRUE(facts && confused);
  EXPECT_EQ(*facts, *confused);
}

TEST(Post, OptionsOutOfRangeAreRefused) {
  const Facts facts = facts_from_number(5);
  RandomStream random(1, Purpose::testing, 0);
  EXPECT_THROW((void)write_post(facts, {.least_distractors = 3, .most_distractors = 2}, random),
               UsageError);
  EXPECT_THROW((void)write_post(facts, {.most_distractors = 100}, random), UsageError);
  EXPECT_THROW((void)write_post(facts, {.confuse = 1.5}, random), UsageError);
  EXPECT_THROW((void)write_post(facts, {.most_distractors = 6, .confuse = 1}, random), UsageError);
}

TEST(Summary, WhatIsWrittenIsReadBackForEverySetOfStatedFacts) {
  const Facts whole = facts_from_number(1'234'567'890);
  RandomStream random(7, Purpose::testing, 0);
  for (unsigned left_out = 0; left_out < 32; ++left_out) {
    Facts facts = whole;
    unsigned bit = 1;
    for (const Fact fact : {Fact::age, Fact::place, Fact::time, Fact::feeling, Fact::question}) {
      facts = (left_out & bit) != 0 ? without(facts, fact) : facts;
      bit *= 2;
    }
    const SummaryContent content = read_summary(write_summary(facts, random));
    EXPECT_EQ(content.unparsed, 0);
    Facts read;
    for (const Facts& sentence : content.sentences) {
      EXPECT_TRUE(merge(read, sentence));
    }
    EXPECT_EQ(read, facts);
  }
}

}  // namespace
}  // namespace precis
