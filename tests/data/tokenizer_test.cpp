#include "data/tokenizer.hpp"

#include "base/random.hpp"
#include "data/pretokenizer.hpp"
#include "data/tokenizer_trainer.hpp"
#include "io/jsonl.hpp"
#include "io/output_file.hpp"
#include "support/expect_error.hpp"
#include "support/real_data.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace precis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> result;
  Pretokenizer().split(text, [&](std::string_view piece) { result.emplace_back(piece); });
  return result;
}

TEST(Pretokenizer, SplitsAsGpt2Does) {
  EXPECT_THAT(
      pieces("I've  been\n\nhere, 42 times!?"),
      ElementsAre("I", "'ve", " ", " been", "\n", "\n", "here", ",", " 42", " times", "!?"));
  EXPECT_THAT(pieces("a \xC2\xA0 b  "), ElementsAre("a", " \xC2\xA0", " b", "  "));
  EXPECT_TRUE(pieces("").empty());
}

TEST(Pretokenizer, BytesThatAreNotUtf8StandAlone) {
  EXPECT_THAT(pieces("a\xFF\xC3z"), ElementsAre("a", "\xFF", "\xC3", "z"));
}

TEST(Pretokenizer, MongolianVowelSeparatorIsNotWhiteSpace) {
  EXPECT_THAT(pieces("\xE1\xA0\x8E."), ElementsAre("\xE1\xA0\x8E."));
}

Tokenizer small_tokenizer() {
  TokenizerTrainer trainer;
  trainer.add("the cat sat on the mat, the cat ate the rat; the hat sat on the bat");
  return trainer.train(300);
}

TEST(TokenizerTrainer, MergesByFrequencyThenLowestIds) {
  TokenizerTrainer trainer;
  // Pairs: (a,b) 2, (c,d) 2, (x,y) 3.
  for (const char* text : {"xy", "xy", "xy", "cd", "cd", "ab", "ab", "q"}) {
    trainer.add(text);
  }
  const Tokenizer tokenizer = trainer.train(1000);
  ASSERT_EQ(tokenizer.vocabulary(), 260);
  EXPECT_EQ(tokenizer.token(256), "xy");
  EXPECT_EQ(tokenizer.token(257), "ab");
  EXPECT_EQ(tokenizer.token(258), "cd");
  EXPECT_EQ(tokenizer.end_token(), 259);
  EXPECT_EQ(tokenizer.token(0), "!");
}

TEST(TokenizerTrainer, StopsAtTheVocabularyAskedFor) {
  TokenizerTrainer trainer;
  trainer.add("xy xy xy cd cd");
  EXPECT_EQ(trainer.train(258).vocabulary(), 258);
  EXPECT_EQ(trainer.train(257).parts().merges.size(), 0U);
  EXPECT_THROW((void)trainer.train(256), UsageError);
}

TEST(TokenizerTrainer, TwoWaysToTheSameBytesAreOneToken) {
  TokenizerTrainer trainer;
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += i % 3 == 0 ? "abc " : i % 3 == 1 ? "abd " : "zbc ";
    text += i % 5 == 0 ? "aabcc " : "bcabc ";
  }
  trainer.add(text);
  const Tokenizer tokenizer = trainer.train(400);
  std::vector<std::string> tokens = tokenizer.parts().tokens;
  std::sort(tokens.begin(), tokens.end());
  EXPECT_EQ(std::adjacent_find(tokens.begin(), tokens.end()), tokens.end());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(Tokenizer, TextNeverYieldsSpecialTokensUnlessAsked) {
  const Tokenizer tokenizer = small_tokenizer();
  const std::string text = "the cat<|endoftext|>the";
  const auto plain = tokenizer.encode(text);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), tokenizer.end_token()), 0);
  EXPECT_EQ(tokenizer.decode(plain), text);
  const auto special = tokenizer.encode(text, true);
  EXPECT_EQ(std::count(special.begin(), special.end(), tokenizer.end_token()), 1);
  EXPECT_EQ(tokenizer.decode(special), text);
}

TEST(Tokenizer, AnyByteStringSurvives) {
  const Tokenizer tokenizer = small_tokenizer();
  RandomStream random(7, Purpose::testing, 0);
  for (int round = 0; round < 400; ++round) {
    std::string text;
    const auto size = random.below(200);
    for (std::uint32_t i = 0; i < size; ++i) {
      // Half of the bytes from a few that are likely to form words, spaces and UTF-8.
      static constexpr std::string_view likely = "the cat\n '\xC3\xA9\xE2\x80\x83\xF0\x9F\x91\x8B";
      text += random.chance(0.5) ? likely[random.below(static_cast<std::uint32_t>(likely.size()))]
                                 : static_cast<char>(random.below(256));
    }
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, true)), text);
  }
}

TEST(Tokenizer, MegabytesOfOneKindEncode) {
  TokenizerTrainer trainer;
  for (const char* text :
       {"aaaaaaaaaaaaaaaa", "0000000000000000", "        ", "\n\n\n\n\n\n\n\n"}) {
    trainer.add(text);
    trainer.add(text);
  }
  const Tokenizer tokenizer = trainer.train(300);
  constexpr std::size_t size = 1'000'000;
  for (std::string text : {std::string(size, 'a'), std::string(size, ' '), std::string(size, '0'),
                           std::string(size, '\n'), std::string(size, '\xFF')}) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
    text += "x";
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
  std::string mixed;
  for (std::size_t i = 0; mixed.size() < size; ++i) {
    mixed += std::string(i % 7, ' ') + std::string(i % 5, 'a') + (i % 3 == 0 ? "\r\n" : "'s");
  }
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(mixed)), mixed);
}

TEST(Tokenizer, LongPiecesMergeAsShortOnes) {
  // "aa", "aaaa", "aaaaaaaa": merging is leftmost first, so a run of 16k + r letters is 2k tokens
  // of eight and the binary digits of r.
  TokenizerTrainer trainer;
  trainer.add("aaaaaaaa");
  trainer.add("aaaaaaaa");
  const Tokenizer tokenizer = trainer.train(260);
  ASSERT_EQ(tokenizer.token(258), "aaaaaaaa");
  EXPECT_EQ(tokenizer.encode(std::string(80'000, 'a')), std::vector<std::int32_t>(10'000, 258));
  const auto a = tokenizer.encode("a").at(0);
  EXPECT_THAT(tokenizer.encode(std::string(15, 'a')), ElementsAre(258, 257, 256, a));
}

TEST(Tokenizer, AnIdWithoutATokenIsNoText) {
  EXPECT_EQ(small_tokenizer().decode(std::vector<std::int32_t>{1, 999, 2, -1}), "\"#");
}

TEST(Tokenizer, Gpt2VectorsAreExact) {
  PRECIS_NEEDS_DATA("tokenizers/gpt2");
  const Tokenizer tokenizer = Tokenizer::load(data_path);
  EXPECT_EQ(tokenizer.vocabulary(), 50257);
  EXPECT_EQ(tokenizer.end_token(), 50256);
  int count = 0;
  for_each_row((data_folder() / "tokenizers/gpt2_vectors.jsonl").string(), false,
               [&](const JsonRow& row) {
                 const auto expected = row.value.at("ids").get<std::vector<std::int32_t>>();
                 EXPECT_EQ(tokenizer.encode(row.text("text")), expected) << row.where();
                 EXPECT_EQ(tokenizer.decode(expected), row.text("text")) << row.where();
                 ++count;
               });
  EXPECT_EQ(count, 130);
}

// Numbers from Hugging Face's library: tests/golden/tokenizer/make_golden.py.
TEST(Tokenizer, AgreesWithHuggingFace) {
  const auto golden = nlohmann::json::parse(
      read_file(std::filesystem::path(PRECIS_SOURCE_DIR) / "tests/golden/tokenizer/golden.json"));
  int checked = 0;
  for (const auto& file : golden) {
    const auto folder = data_folder() / file.at("tokenizer").get<std::string>();
    if (!std::filesystem::exists(folder)) {
      continue;
    }
    const Tokenizer tokenizer = Tokenizer::load(folder.string());
    for (const auto& row : file.at("cases")) {
      const auto text = row.at("text").get<std::string>();
      EXPECT_EQ(tokenizer.encode(text), row.at("ids").get<std::vector<std::int32_t>>())
          << folder << ": " << row.at("text");
      ++checked;
    }
  }
  if (checked == 0) {
    GTEST_SKIP() << "no tokenizer in " << data_folder() << "; set PRECIS_DATA";
  }
}

}  // namespace
}  // namespace precis
