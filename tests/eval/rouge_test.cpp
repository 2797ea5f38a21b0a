#include "eval/rouge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <span>

#include "eval/porter.hpp"
#include "eval/rouge_means.hpp"
#include "eval/words.hpp"
#include "io/text_file.hpp"
#include "support/real_data.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

nlohmann::json golden() {
  return nlohmann::json::parse(read_text_file(PRECIS_SOURCE_DIR "/tests/golden/rouge/golden.json"));
}

// tests/golden/rouge/make_rouge.py made these with NLTK.
TEST(PorterStem, AgreesWithNltkOnAThousandWords) {
  const auto stems = golden()["stems"];
  ASSERT_EQ(stems.size(), 1000U);
  for (const auto& pair : stems) {
    EXPECT_EQ(porter_stem(pair[0]), pair[1].get<std::string>()) << pair[0];
  }
}

// The examples of Porter 1980, as far as NLTK's extensions leave them.
TEST(PorterStem, AgreesWithThePaper) {
  const std::vector<std::pair<std::string, std::string>> examples = {
      {"caresses", "caress"},    {"ponies", "poni"},
      {"cats", "cat"},           {"feed", "feed"},
      {"agreed", "agre"},        {"plastered", "plaster"},
      {"motoring", "motor"},     {"sing", "sing"},
      {"conflated", "conflat"},  {"sized", "size"},
      {"hopping", "hop"},        {"falling", "fall"},
      {"filing", "file"},        {"happy", "happi"},
      {"relational", "relat"},   {"vietnamization", "vietnam"},
      {"hopefulness", "hope"},   {"electriciti", "electr"},
      {"replacement", "replac"}, {"adoption", "adopt"},
      {"probate", "probat"},     {"rate", "rate"},
      {"controll", "control"},   {"roll", "roll"}};
  for (const auto& [word, stem] : examples) {
    EXPECT_EQ(porter_stem(word), stem) << word;
  }
}

TEST(PorterStem, ALongWordTakesLittleTime) {
  EXPECT_FALSE(porter_stem(std::string(1'000'000, 'y') + "ing").empty());
}

TEST(RougeWords, AreRunsOfLettersAndDigitsInLowerCase) {
  EXPECT_THAT(rouge_words("It's 3rd,  TESTING\n(caf\xC3\xA9s)", false),
              ElementsAre("it", "s", "3rd", "testing", "caf", "s"));
  EXPECT_THAT(rouge_words("testing was runs", true), ElementsAre("test", "was", "run"));
  // The Kelvin sign and I with a dot have lower cases that begin with an ASCII letter.
  EXPECT_THAT(rouge_words("\xE2\x84\xAA"
                          "elvin \xC4\xB0stanbul",
                          false),
              ElementsAre("kelvin", "i", "stanbul"));
  EXPECT_THAT(rouge_words(" /\n", true), IsEmpty());
}

void expect_score(const RougeScore& found, const nlohmann::json& expected) {
  EXPECT_EQ(found.precision, expected[0].get<double>());
  EXPECT_EQ(found.recall, expected[1].get<double>());
  EXPECT_EQ(found.f, expected[2].get<double>());
}

TEST(Rouge, AgreesWithGooglesToTheBit) {
  const auto cases = golden()["cases"];
  ASSERT_EQ(cases.size(), 80U);
  for (const auto& one : cases) {
    SCOPED_TRACE(one.dump());
    const Rouge found = rouge(one["prediction"].get<std::string>(),
                              one["reference"].get<std::string>(), one["stemmer"].get<bool>());
    expect_score(found.rouge1, one["rouge1"]);
    expect_score(found.rouge2, one["rouge2"]);
    expect_score(found.rouge_l, one["rougeL"]);
    expect_score(found.rouge_lsum, one["rougeLsum"]);
  }
}

TEST(Rouge, AgreesWithTheCasesOfGooglesTestsAndRouge155) {
  PRECIS_NEEDS_DATA("expected/google_rouge_cases.json")
  const auto cases = nlohmann::json::parse(read_text_file(data_path))["cases"];
  ASSERT_EQ(cases.size(), 24U);
  for (const auto& one : cases) {
    SCOPED_TRACE(one.dump());
    const auto all = to_json(rouge(one["prediction"].get<std::string>(),
                                   one["target"].get<std::string>(), one["stemmer"].get<bool>()));
    const auto& found = all.at(one["kind"].get<std::string>());
    const double tolerance = 0.5000001 * std::pow(10.0, -one["places"].get<int>());
    EXPECT_NEAR(found["p"].get<double>(), one["precision"].get<double>(), tolerance);
    EXPECT_NEAR(found["r"].get<double>(), one["recall"].get<double>(), tolerance);
    EXPECT_NEAR(found["f"].get<double>(), one["fmeasure"].get<double>(), tolerance);
  }
}

TEST(Rouge, LinesCountForTheSummaryLevelOnly) {
  const Rouge found = rouge("w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", false);
  EXPECT_EQ(found.rouge_lsum.recall, 4.0 / 5);  // Lin 2004, section 3.2
  EXPECT_EQ(found.rouge_lsum.precision, 4.0 / 10);
  EXPECT_EQ(found.rouge_l.recall, 4.0 / 5);
  const Rouge turned = rouge("b\na", "a b", false);
  EXPECT_EQ(turned.rouge_l.recall, 0.5);
  EXPECT_EQ(turned.rouge_lsum.recall, 1);
  EXPECT_EQ(turned.rouge2.recall, 0);
}

TEST(Rouge, MeansAreOfEachNumber) {
  std::vector<Rouge> all;
  std::vector<std::uint64_t> posts;
  for (std::uint64_t post = 0; post < 8; ++post) {
    all.push_back(rouge("a b", post % 2 == 0 ? "a" : "a b", false));
    posts.push_back(post);
  }
  const RougeMeans means = mean_of(all, posts, Weight::rows);
  EXPECT_EQ(means.rouge1.precision.mean, 0.75);
  EXPECT_EQ(means.rouge1.recall.mean, 1);
  // The deviation of 0.5 and 1 is a quarter, with seven degrees of freedom.
  EXPECT_NEAR(means.rouge1.precision.high, 0.75 + 0.25 / std::sqrt(7) * student_975(7), 1e-9);
  EXPECT_NEAR(means.rouge2.f.low, 0.5 - 0.5 / std::sqrt(7) * student_975(7), 1e-9);
}

TEST(Rouge, IntervalsStayWithinWhatIsPossible) {
  const Rouge all[] = {rouge("a", "a", true), rouge("a", "b", true)};
  const RougeMeans means = mean_of(all, std::vector<std::uint64_t>{1, 2}, Weight::rows);
  EXPECT_EQ(means.rouge1.f.low, 0);
  EXPECT_EQ(means.rouge1.f.high, 1);
  const RougeMeans one = mean_of(std::span(all, 1), std::vector<std::uint64_t>{1}, Weight::rows);
  EXPECT_TRUE(std::isnan(one.rouge1.f.low)) << "one post has no interval";
}

TEST(SplitSentences, EndAtStopsAndNewlinesButNotAtAbbreviations) {
  EXPECT_THAT(
      split_sentences("Mr. Lee paid 3.50 in the U.S. today. \"Why?\" he said. No.\nEnd"),
      ElementsAre("Mr. Lee paid 3.50 in the U.S. today.", "\"Why?\"", "he said.", "No.", "End"));
  EXPECT_THAT(split_sentences("Wait... what?! ``Yes.''. He left"),
              ElementsAre("Wait...", "what?!", "``Yes.''.", "He left"));
  EXPECT_THAT(split_sentences(" \n "), IsEmpty());
}

}  // namespace
}  // namespace precis
