#include "data/tokenizer.hpp"
#include "data/tokenizer_trainer.hpp"
#include "support/expect_error.hpp"
#include "support/real_data.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace precis {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Tokenizer trained() {
  TokenizerTrainer trainer;
  trainer.add("one two three, one two; caf\xC3\xA9 caf\xC3\xA9 \xF0\x9F\x91\x8B\xF0\x9F\x91\x8B");
  return trainer.train(290);
}

std::string message_after(const std::function<void(json&)>& change) {
  json file = json::parse(trained().to_json());
  change(file);
  return message_of<Error>([&] { (void)Tokenizer::from_json(file.dump(), "T"); });
}

TEST(TokenizerFiles, WrittenBytesReadBackAsTheSameTokenizer) {
  const Tokenizer tokenizer = trained();
  const Tokenizer again = Tokenizer::from_json(tokenizer.to_json());
  EXPECT_TRUE(again.same_as(tokenizer));
  EXPECT_EQ(again.to_json(), tokenizer.to_json());
  EXPECT_EQ(trained().to_json(), tokenizer.to_json());
}

TEST(TokenizerFiles, MergesMayBePairs) {
  json file = json::parse(trained().to_json());
  for (json& merge : file["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    merge = json::array({text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)});
  }
  EXPECT_TRUE(Tokenizer::from_json(file.dump()).same_as(trained()));
}

TEST(TokenizerFiles, VocabularyAndMergesInAFolder) {
  const Tokenizer tokenizer = trained();
  const json file = json::parse(tokenizer.to_json());
  std::string merges = "#version: 0.2\r\n";
  for (const json& merge : file["model"]["merges"]) {
    merges += merge.get<std::string>() + "\r\n";
  }
  for (const auto& [vocabulary, merges_name] :
       {std::pair("vocab.json", "merges.txt"), std::pair("encoder.json", "vocab.bpe")}) {
    const TemporaryFolder folder;
    folder.file(vocabulary, file["model"]["vocab"].dump());
    folder.file(merges_name, merges);
    EXPECT_TRUE(Tokenizer::load(folder.path()).same_as(tokenizer)) << vocabulary;
  }
}

TEST(TokenizerFiles, AddPrefixSpaceAndNoSplitting) {
  json file = json::parse(trained().to_json());
  file["pre_tokenizer"]["add_prefix_space"] = true;
  const Tokenizer prefixed = Tokenizer::from_json(file.dump());
  EXPECT_EQ(prefixed.encode("one"), trained().encode(" one"));
  EXPECT_EQ(prefixed.encode(" one"), trained().encode(" one"));
  file["pre_tokenizer"]["add_prefix_space"] = false;
  file["pre_tokenizer"]["use_regex"] = false;
  EXPECT_EQ(Tokenizer::from_json(file.dump()).decode(trained().encode("one two")), "one two");
}

TEST(TokenizerFiles, UnsupportedFeaturesAreNamed) {
  EXPECT_THAT(message_after([](json& f) {
                f["normalizer"] = {{"type", "Lowercase"}};
              }),
              HasSubstr("normalizer Lowercase"));
  EXPECT_THAT(message_after([](json& f) { f["pre_tokenizer"]["type"] = "Metaspace"; }),
              HasSubstr("pre_tokenizer Metaspace"));
  EXPECT_THAT(message_after([](json& f) { f["pre_tokenizer"] = nullptr; }),
              HasSubstr("no pre_tokenizer"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["type"] = "Unigram"; }), HasSubstr("Unigram"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }),
              HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["ignore_merges"] = true; }),
              HasSubstr("ignore_merges"));
  EXPECT_THAT(message_after([](json& f) { f["added_tokens"][0]["lstrip"] = true; }),
              HasSubstr("lstrip"));
}

TEST(TokenizerFiles, MalformedFilesGiveOneMessage) {
  EXPECT_THAT(message_after([](json& f) { f["model"]["vocab"].erase("Q"); }), HasSubstr("0x51"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["vocab"]["a"] = -1; }), HasSubstr("-1"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["vocab"]["a"] = 4'000'000'000; }),
              HasSubstr("4000000000"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["vocab"]["a"] = "x"; }), HasSubstr("\"a\""));
  EXPECT_THAT(message_after([](json& f) { f["model"]["vocab"]["a"] = 3; }), HasSubstr("id 3"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["merges"][0] = "a b c"; }),
              HasSubstr("model.merges[0]"));
  EXPECT_THAT(message_after([](json& f) { f["model"]["merges"][0] = "zz yy"; }),
              HasSubstr("\"zz\""));
  EXPECT_THAT(message_after([](json& f) { f["model"]["merges"] = 7; }), HasSubstr("merges"));
  EXPECT_THAT(message_after([](json& f) { f["added_tokens"][0]["id"] = 5; }),
              HasSubstr("endoftext"));
  EXPECT_THAT(message_after([](json& f) { f.erase("model"); }), HasSubstr("`model`"));
  EXPECT_THAT(message_of<Error>([] { (void)Tokenizer::from_json("{", "T"); }),
              HasSubstr("T: not JSON"));
  EXPECT_THAT(message_of<Error>([] { (void)Tokenizer::from_json("[]", "T"); }), HasSubstr("T: "));
  EXPECT_THAT(message_of<Error>([] { (void)Tokenizer::load("/nonexistent"); }),
              HasSubstr("does not exist"));
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<Error>([&] { (void)Tokenizer::load(folder.path()); }),
              HasSubstr("no tokenizer"));
}

TEST(TokenizerFiles, ReadsGptNeoxAndWritesItEqually) {
  PRECIS_NEEDS_DATA("tokenizers/gpt_neox");
  const Tokenizer tokenizer = Tokenizer::load(data_path);
  EXPECT_EQ(tokenizer.end_token(), 0);
  EXPECT_EQ(tokenizer.token(50276), "  ");
  // Composed before it is split (NFC); runs of blanks are tokens although they are not special.
  EXPECT_EQ(tokenizer.encode("e\u0301"), tokenizer.encode("\u00E9"));
  EXPECT_EQ(tokenizer.encode("  x").front(), 50276);
  EXPECT_THAT(message_of<Error>([&] { (void)tokenizer.encode("a\xFF"); }), HasSubstr("0xFF"));
}

}  // namespace
}  // namespace precis
