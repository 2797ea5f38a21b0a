#include "synthetic/synthesize.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "base/error.hpp"
#include "synthetic/gold_labeler.hpp"

namespace precis {
namespace {

TEST(Synthesize, FactsReadFromAPostAreThoseItWasWrittenFrom) {
  const SynthesisOptions usual;
  const SynthesisOptions confusing{
      .post = {.least_distractors = 4, .most_distractors = 5, .confuse = 1}};
  for (std::uint64_t index = 0; index < 20'000; ++index) {
    const auto row = synthesize_row(3, index, index % 2 == 0 ? usual : confusing);
    const auto read = read_post(row.post);
    ASSERT_TRUE(read) << row.post;
    ASSERT_EQ(*read, row.facts) << row.post;
  }
}

TEST(Synthesize, ARowIsAFunctionOfSeedAndIndex) {
  const SynthesisOptions options;
  const auto row = synthesize_row(11, 42, options);
  const auto again = synthesize_row(11, 42, options);
  EXPECT_EQ(row.post, again.post);
  EXPECT_EQ(row.title, again.title);
  EXPECT_EQ(row.summary, again.summary);
  EXPECT_EQ(row.id, "synthetic-11-42");
  EXPECT_NE(row.post, synthesize_row(12, 42, options).post);
  EXPECT_NE(row.post, synthesize_row(11, 43, options).post);
}

TEST(Synthesize, TheFaultsDoNotChangeThePost) {
  SynthesisOptions options;
  const auto row = synthesize_row(11, 42, options);
  options.faults = {.omit_age = 1, .invent = 1};
  EXPECT_EQ(row.post, synthesize_row(11, 42, options).post);
}

TEST(Synthesize, NoTwoPostsOfASeedTellTheSame) {
  std::set<std::array<int, slot_count>> seen;
  for (std::uint64_t index = 0; index < 100'000; ++index) {
    EXPECT_TRUE(seen.insert(synthetic_facts(5, index).words).second) << index;
  }
  EXPECT_NO_THROW((void)synthetic_facts(5, fact_space() - 1));
  EXPECT_THROW((void)synthetic_facts(5, fact_space()), Error);
}

TEST(Synthesize, EveryWordIsAboutAsFrequentAsTheOthers) {
  const std::uint64_t rows = 48'000;
  std::map<std::pair<std::size_t, int>, int> counts;
  for (std::uint64_t index = 0; index < rows; ++index) {
    const auto facts = synthetic_facts(5, index);
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
      ++counts[{slot, facts.words[slot]}];
    }
  }
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    const auto words = words_of(static_cast<Slot>(slot)).size();
    const double mean = static_cast<double>(rows) / static_cast<double>(words);
    for (std::size_t word = 0; word < words; ++word) {
      // Six standard deviations of a binomial count.
      const auto key = std::pair(slot, static_cast<int>(word));
      EXPECT_NEAR(counts[key], mean, 6 * std::sqrt(mean)) << slot << " " << word;
    }
  }
}

TEST(Synthesize, PostsHaveFiveToNineSentencesAndWordsThatFollowABlank) {
  std::set<std::size_t> lengths;
  for (std::uint64_t index = 0; index < 2000; ++index) {
    const auto row = synthesize_row(3, index, {});
    lengths.insert(sentences_of(row.post).size());
    for (const auto& text : {row.post, row.summary}) {
      for (std::size_t slot = 0; slot < slot_count; ++slot) {
        const auto word =
            words_of(static_cast<Slot>(slot))[static_cast<std::size_t>(row.facts.words[slot])];
        for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
          const bool inside_another =
              at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1]));
          EXPECT_TRUE(at > 0 && (text[at - 1] == ' ' || inside_another)) << text;
        }
      }
    }
  }
  EXPECT_EQ(lengths, (std::set<std::size_t>{5, 6, 7, 8, 9}));
}

TEST(Synthesize, ReferencesHaveTheRatesOfTheirFaults) {
  const int rows = 20'000;
  std::map<Fact, int> omitted;
  int stated = 0;
  int wrong = 0;
  const ReferenceFaults faults;
  for (int index = 0; index < rows; ++index) {
    const Facts facts = synthetic_facts(3, static_cast<std::uint64_t>(index));
    RandomStream random(3, Purpose::testing, static_cast<std::uint64_t>(index));
    const Facts said = with_faults(facts, faults, random);
    for (const Fact fact : all_facts) {
      omitted[fact] += states(said, fact) ? 0 : 1;
      stated += states(said, fact) ? 1 : 0;
      wrong += states(said, fact) && !agree(said, facts, fact) ? 1 : 0;
    }
  }
  const auto rate = [&](Fact fact) { return static_cast<double>(omitted[fact]) / rows; };
  EXPECT_EQ(omitted[Fact::who], 0);
  EXPECT_EQ(omitted[Fact::event], 0);
  EXPECT_NEAR(rate(Fact::age), faults.omit_age, 0.02);
  EXPECT_NEAR(rate(Fact::place), faults.omit_place, 0.02);
  EXPECT_NEAR(rate(Fact::time), faults.omit_time, 0.02);
  EXPECT_NEAR(rate(Fact::feeling), faults.omit_feeling, 0.02);
  EXPECT_NEAR(rate(Fact::question), faults.omit_question, 0.02);
  EXPECT_NEAR(static_cast<double>(wrong) / stated, faults.invent, 0.005);
}

TEST(Synthesize, SplitsAreNineTenthsAndTwoTwentieths) {
  std::map<Split, int> counts;
  for (std::uint64_t index = 0; index < 1000; ++index) {
    ++counts[synthetic_split(index)];
  }
  EXPECT_EQ(counts[Split::train], 900);
  EXPECT_EQ(counts[Split::valid], 50);
  EXPECT_EQ(counts[Split::test], 50);
}

}  // namespace
}  // namespace precis
