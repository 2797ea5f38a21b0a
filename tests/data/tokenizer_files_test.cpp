#include "data/tokenizer.hpp"
#include "data/tokenizer_trainer.hpp"
#include "io/output_file.hpp"
#include "support/expect_error.hpp"
#include "support/real_data.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace precis {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
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

// Numbers from Hugging Face's library: tests/golden/tokenizer/make_added_tokens.py.
TEST(TokenizerFiles, AddedTokensAndTemplatesAreTheReferenceLibrarys) {
  const json cases = json::parse(read_file(std::filesystem::path(PRECIS_SOURCE_DIR) /
                                           "tests/golden/tokenizer/added_tokens.json"));
  ASSERT_EQ(cases.size(), 10U);
  for (const json& one : cases) {
    json file = json::parse(TokenizerTrainer().train(257).to_json());
    file["model"]["vocab"].erase("<|endoftext|>");
    file["model"]["vocab"].update(one.at("vocabulary"));
    file.update(one.at("parts"));
    const Tokenizer tokenizer = Tokenizer::from_json(file.dump(), "T");
    for (const json& row : one.at("texts")) {
      const auto text = row.at("text").get<std::string>();
      const std::string where = one.at("name").get<std::string>() + ": " + text;
      EXPECT_EQ(tokenizer.encode(text, true), row.at("ids").get<std::vector<std::int32_t>>())
          << where;
      EXPECT_EQ(tokenizer.encode_beginning(text, true),
                row.at("all").get<std::vector<std::int32_t>>())
          << where;
    }
    const bool other_ids = one.at("name").get<std::string>().find("id") != std::string::npos ||
                           one.at("name") == "a gap that the vocabulary has";
    EXPECT_EQ(tokenizer.notes().empty(), !other_ids) << one.at("name");
  }
}

TEST(TokenizerFiles, AnIdThatAnotherTokenHasIsRefused) {
  // The reference library gives both one id, so that one of them cannot be decoded.
  EXPECT_THAT(message_after([](json& f) {
                f["model"]["vocab"]["ZZ"] = 271;
                f["added_tokens"].push_back({{"id", 272}, {"content", "NEW"}});
              }),
              AllOf(HasSubstr("two tokens have the id 271"), HasSubstr("ZZ"), HasSubstr("NEW")));
}

TEST(TokenizerFiles, APostProcessorMayOnlyBeginAText) {
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json end = {{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}};
  const auto message_with = [&](const json& single, const json& ids) {
    return message_after([&](json& f) {
      f["post_processor"] = {{"type", "TemplateProcessing"},
                             {"single", single},
                             {"special_tokens", {{"<|endoftext|>", {{"ids", ids}}}}}};
    });
  };
  EXPECT_THAT(message_with(json::array({text, end}), json::array({269})),
              AllOf(HasSubstr("adds \"<|endoftext|>\" after a text"), HasSubstr("itself")));
  EXPECT_THAT(message_with(json::array({text, text}), json::array({269})), HasSubstr("twice"));
  EXPECT_THAT(message_with(json::array({end}), json::array({269})),
              HasSubstr("leaves the text out"));
  EXPECT_THAT(message_with(json::array({end, text}), json::array()), HasSubstr("no `ids`"));
  EXPECT_THAT(message_with(json::array({end, text}), json::array({400})), HasSubstr("the id 400"));
  EXPECT_THAT(message_after([](json& f) {
                f["post_processor"] = {{"type", "RobertaProcessing"}};
              }),
              AllOf(HasSubstr("RobertaProcessing"), HasSubstr("TemplateProcessing")));
}

TEST(TokenizerFiles, ABeginTokenCanBeSetAndTaken) {
  const Tokenizer plain = trained();
  const Tokenizer begun = plain.with_begin({269});
  const std::vector<std::int32_t> ids = plain.encode("one two");
  std::vector<std::int32_t> expected = ids;
  expected.insert(expected.begin(), 269);
  EXPECT_EQ(begun.encode("one two"), ids);
  EXPECT_EQ(begun.encode_beginning("one two"), expected);
  EXPECT_EQ(plain.encode_beginning("one two"), ids);
  EXPECT_FALSE(begun.same_as(plain));
  EXPECT_TRUE(begun.with_begin({}).same_as(plain));
  // It stands in the bytes, which a model file and an export keep.
  EXPECT_TRUE(Tokenizer::from_json(begun.to_json()).same_as(begun));
  EXPECT_EQ(begun.end_token(), plain.end_token());
  TokenizerParts parts = begun.parts();
  EXPECT_TRUE(Tokenizer::from_json(Tokenizer(parts).to_json()).same_as(begun));
}

TEST(TokenizerFiles, WhatAFolderSaysTwice) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = trained();
  const json file = json::parse(tokenizer.to_json());
  std::string merges;
  for (const json& merge : file["model"]["merges"]) {
    merges += merge.get<std::string>() + "\n";
  }
  const auto load = [&] { return Tokenizer::load(folder.path()); };
  folder.file("tokenizer.json", tokenizer.to_json());
  folder.file("vocab.json", file["model"]["vocab"].dump());
  folder.file("merges.txt", merges);
  EXPECT_TRUE(load().same_as(tokenizer));
  EXPECT_TRUE(load().notes().empty()) << "both say the same";
  folder.file("merges.txt", merges.substr(0, merges.rfind('\n', merges.size() - 2) + 1));
  EXPECT_TRUE(load().same_as(tokenizer));
  EXPECT_THAT(load().notes(), ElementsAre(AllOf(HasSubstr("that of tokenizer.json"),
                                                HasSubstr("vocab.json and merges.txt differ"))));
  folder.file("vocab.json", "{");
  EXPECT_THAT(load().notes(), ElementsAre(HasSubstr("cannot be read")));
  // Older files alone: vocab.json, unless it is not whole.
  std::filesystem::remove(folder / "tokenizer.json");
  folder.file("vocab.json", file["model"]["vocab"].dump());
  folder.file("encoder.json", TokenizerTrainer().train(257).to_json());
  folder.file("vocab.bpe", "");
  folder.file("merges.txt", merges);
  EXPECT_TRUE(load().same_as(tokenizer));
  EXPECT_THAT(load().notes(), ElementsAre(AllOf(HasSubstr("that of vocab.json and merges.txt"),
                                                HasSubstr("encoder.json"))));
  std::filesystem::remove(folder / "merges.txt");
  folder.file("encoder.json", file["model"]["vocab"].dump());
  folder.file("vocab.bpe", merges);
  EXPECT_TRUE(load().same_as(tokenizer));
}

TEST(TokenizerFiles, TheBeginTokenOfATokenizerConfig) {
  const TemporaryFolder folder;
  const json file = json::parse(trained().to_json());
  folder.file("vocab.json", file["model"]["vocab"].dump());
  folder.file("merges.txt", "");
  const auto begin_with = [&](const json& config) {
    folder.file("tokenizer_config.json", config.dump());
    return Tokenizer::load(folder.path()).begin();
  };
  EXPECT_THAT(begin_with({{"bos_token", "Q"}}), ElementsAre());
  EXPECT_THAT(begin_with({{"add_bos_token", true}}), ElementsAre(269));
  EXPECT_THAT(begin_with({{"add_bos_token", true}, {"bos_token", {{"content", "Q"}}}}),
              ElementsAre(48));
  // The post_processor of a tokenizer.json is what counts.
  folder.file("tokenizer.json", trained().to_json());
  EXPECT_THAT(begin_with({{"add_bos_token", true}}), ElementsAre());
  EXPECT_THAT(Tokenizer::load(folder.path()).notes(),
              testing::Contains(HasSubstr("add_bos_token")));
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
              AllOf(HasSubstr("the pre_tokenizer Metaspace is not supported"),
                    HasSubstr("Take a model with such a tokenizer"),
                    HasSubstr("`precis tokenizer` trains one.")));
  EXPECT_THAT(message_after([](json& f) { f["pre_tokenizer"] = nullptr; }),
              HasSubstr("without a pre_tokenizer"));
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
