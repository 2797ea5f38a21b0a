#include "synthetic/gold_labeler.hpp"

#include <gtest/gtest.h>

#include <string>

#include "synthetic/summary.hpp"
#include "synthetic/synthesize.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

const std::string example_post =
    "My boss lost my bike at the farm in June. My boss is 40 years old. The weather was nice. I "
    "feel "
    "sad about it. Should I call them?";

GoldScore score(const std::string& text, bool ended = true) {
  return gold_score(read_post(example_post).value(), text, ended);
}

TEST(GoldLabeler, APerfectSummaryScoresOne) {
  const GoldScore gold =
      score("My boss, 40, lost my bike at the farm in June. I am sad. Is it OK to call them?");
  EXPECT_EQ(gold.overall, 1.0);
  EXPECT_EQ(gold.coverage, 1.0);
  EXPECT_EQ(gold.accuracy, 1.0);
  EXPECT_TRUE(gold.coherent);
  EXPECT_TRUE(gold.length_ok);
  EXPECT_TRUE(gold.states_question);
  EXPECT_EQ(gold.right, 7);
  for (std::uint64_t index = 0; index < 500; ++index) {
    RandomStream random(1, Purpose::testing, index);
    const Facts facts = synthetic_facts(1, index);
    EXPECT_EQ(gold_score(facts, " " + write_summary(facts, random), true).overall, 1.0);
  }
}

TEST(GoldLabeler, EachFactLeftOutCostsItsPoints) {
  EXPECT_EQ(score("My boss, 40, lost my bike at the farm in June. I am sad.").overall, 6.0 / 8);
  EXPECT_EQ(score("My boss lost my bike at the farm in June. Should I call them?").overall,
            6.0 / 8);
  EXPECT_EQ(score("My boss lost my bike.").overall, 2.0 / 8);
  EXPECT_EQ(score("My boss lost my bike.").accuracy, 1.0);
  EXPECT_FALSE(score("My boss lost my bike.").states_question);
}

TEST(GoldLabeler, AWrongFactLosesItsPointsAndOneMore) {
  const GoldScore gold =
      score("My boss, 41, lost my bike at the farm in June. I am sad. Should I call them?");
  EXPECT_EQ(gold.wrong, 1);
  EXPECT_EQ(gold.overall, (7.0 - 1) / 8);
  EXPECT_EQ(gold.accuracy, 6.0 / 7);
  const GoldScore question =
      score("My boss, 40, lost my bike at the farm in June. Should I sue them?");
  EXPECT_EQ(question.overall, (5.0 - 1) / 8);
  EXPECT_TRUE(question.states_question);
  // A wrong verb or a wrong object makes the event wrong, once.
  EXPECT_EQ(score("My boss, 40, sold my bike at the farm.").wrong, 1);
  EXPECT_EQ(score("My boss, 40, sold my car at the farm.").wrong, 1);
}

TEST(GoldLabeler, ARepeatedFactCostsTwo) {
  const GoldScore gold = score("My boss lost my bike. I am sad. I feel sad.");
  EXPECT_EQ(gold.repeats, 1);
  EXPECT_EQ(gold.right, 3);
  EXPECT_EQ(gold.overall, (3.0 - 2) / 8);
  // Guessing twice is a repeat too, and the wrong guess is counted.
  EXPECT_EQ(score("My boss lost my bike. I am sad. I feel hurt.").overall, (3.0 - 2 - 1) / 8);
}

TEST(GoldLabeler, ASentenceOutsideTheGrammarCostsFour) {
  const GoldScore gold = score("My boss lost my bike. The weather was nice.");
  EXPECT_EQ(gold.unparsed, 1);
  EXPECT_FALSE(gold.coherent);
  EXPECT_EQ(gold.overall, (2.0 - 4) / 8);
  EXPECT_EQ(score("My boss lost my bike. I am").unparsed, 1);
  EXPECT_EQ(score("My boss lost my bike in Monday.").unparsed, 1);
}

TEST(GoldLabeler, LengthOutOfBoundsOrNoEndTokenCostsFourOnce) {
  const std::string complete =
      "My boss, 40, lost my bike at the farm in June. I am sad. Is it OK to call them?";
  EXPECT_EQ(score(complete, false).overall, 0.5);
  EXPECT_TRUE(score(complete, false).length_ok);
  EXPECT_EQ(score("I am sad.").overall, (1.0 - 4) / 8);
  EXPECT_EQ(score("I am sad.", false).overall, (1.0 - 4) / 8);
  EXPECT_FALSE(score("I am sad.").length_ok);
  EXPECT_EQ(score("").overall, -0.5);
  EXPECT_EQ(score("").accuracy, 0);
  EXPECT_FALSE(score("").coherent);
  EXPECT_EQ(count_words("a b c d e f g h i j k l m n o p q r s t u v w x y z"), gold_most_words);
  EXPECT_TRUE(score("a b c d e f g h i j k l m n o p q r s t u v w x y z").length_ok);
  EXPECT_FALSE(score("a b c d e f g h i j k l m n o p q r s t u v w x y z a").length_ok);
  EXPECT_TRUE(score("a b c d e").length_ok);
  EXPECT_FALSE(score("a b c d").length_ok);
}

TEST(GoldLabeler, NothingIsBelowMinusOne) {
  EXPECT_EQ(score("a. b. c. d. e. f. g. h.").overall, -1.0);
}

TEST(GoldLabeler, FluentNoiseScoresLow) {
  double copied = 0;
  double repeated = 0;
  double stuffed = 0;
  const int rows = 500;
  for (int index = 0; index < rows; ++index) {
    const auto row = synthesize_row(9, static_cast<std::uint64_t>(index), {});
    RandomStream random(9, Purpose::testing, static_cast<std::uint64_t>(index));
    copied += gold_score(row.facts, row.post, true).overall;
    const std::string good = write_summary(row.facts, random);
    repeated += gold_score(row.facts, good + " " + good, true).overall;
    std::string words;
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
      words += std::string(words_of(
                   static_cast<Slot>(slot))[static_cast<std::size_t>(row.facts.words[slot])]) +
               " ";
    }
    stuffed += gold_score(row.facts, words, true).overall;
  }
  EXPECT_LT(copied / rows, -0.9);
  EXPECT_LT(repeated / rows, -0.9);
  EXPECT_LE(stuffed / rows, -0.5);
}

}  // namespace
}  // namespace precis
