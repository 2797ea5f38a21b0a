#include "data/comparisons.hpp"

#include "data/tokenizer_trainer.hpp"
#include "support/expect_error.hpp"
#include "support/real_data.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace precis {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

Tokenizer bytes_only() { return TokenizerTrainer().train(257); }

json comparison() {
  return {{"info", {{"id", "x"}, {"post", "p"}, {"title", "t"}, {"subreddit", "r"}}},
          {"summaries",
           {{{"text", " good"}, {"policy", "ref"}, {"note", nullptr}},
            {{"text", " bad"}, {"policy", "sup"}, {"note", "n"}}}},
          {"choice", 0},
          {"worker", "w"},
          {"batch", "b"},
          {"split", "train"},
          {"extra", {{"confidence", 8}}}};
}

Pairs read(const std::string& text, DataOptions options = {}, const std::string& split = "",
           RowUse use = RowUse::training) {
  const TemporaryFolder folder;
  options.max_response_tokens = 128;
  return read_pairs({folder.file("c.jsonl", text)}, split, use, options, bytes_only(), 1024);
}

TEST(Comparisons, ReadsOpenAisSchema) {
  const Pairs result = read(comparison().dump());
  ASSERT_EQ(result.pairs.size(), 1U);
  const Pair& pair = result.pairs[0];
  EXPECT_EQ(bytes_only().decode(pair.query), "SUBREDDIT: r/r\n\nTITLE: t\n\nPOST: p\n\nTL;DR:");
  EXPECT_EQ(bytes_only().decode(pair.chosen()), " good<|endoftext|>");
  EXPECT_EQ(bytes_only().decode(pair.rejected()), " bad<|endoftext|>");
  EXPECT_EQ(pair.comparison.confidence, 8);
  EXPECT_EQ(pair.comparison.policies[1], "sup");
  EXPECT_EQ(pair.comparison.batch, "b");
}

TEST(Comparisons, OptionalFieldsMayBeMissing) {
  json row = comparison();
  row["info"].erase("id");
  row["extra"] = json::object();
  row.erase("worker");
  row.erase("batch");
  row["summaries"][0].erase("policy");
  row["choice"] = 1;
  const Pairs result = read(row.dump());
  ASSERT_EQ(result.pairs.size(), 1U);
  EXPECT_FALSE(result.pairs[0].comparison.confidence.has_value());
  EXPECT_EQ(&result.pairs[0].chosen(), &result.pairs[0].responses[1]);
  json article = comparison();
  article["info"] = {{"site", "cnn"}, {"title", "t"}, {"article", "News."}};
  EXPECT_EQ(bytes_only().decode(read(article.dump()).pairs.at(0).query),
            "Article:\nNews.\n\nTL;DR:\n");
}

TEST(Comparisons, WrongFieldsAreNamed) {
  const auto message = [](const std::function<void(json&)>& change) {
    json row = comparison();
    change(row);
    return message_of<Error>([&] { (void)read(row.dump()); });
  };
  EXPECT_THAT(message([](json& r) { r.erase("info"); }), HasSubstr("c.jsonl:1: the field `info`"));
  EXPECT_THAT(message([](json& r) { r["info"].erase("title"); }),
              HasSubstr("info: the field `title`"));
  EXPECT_THAT(message([](json& r) { r["choice"] = 2; }), HasSubstr("`choice` is 2"));
  EXPECT_THAT(message([](json& r) { r["choice"] = true; }), HasSubstr("`choice` is boolean"));
  EXPECT_THAT(message([](json& r) { r["summaries"].erase(1); }), HasSubstr("`summaries`"));
  EXPECT_THAT(message([](json& r) { r["summaries"][1]["text"] = 3; }),
              HasSubstr("summaries[1].text"));
  EXPECT_THAT(message([](json& r) { r["extra"]["confidence"] = 11; }),
              HasSubstr("confidence` is 11"));
}

TEST(Comparisons, SplitsAndLongResponses) {
  json valid = comparison();
  valid["split"] = "valid1";
  json tall = comparison();
  tall["summaries"][1]["text"] = " " + std::string(127, 'x');
  const std::string text = comparison().dump() + "\n" + valid.dump() + "\n" + tall.dump();
  const Pairs train = read(text, {}, "train");
  EXPECT_EQ(train.counts.kept, 1);
  EXPECT_EQ(train.counts.split, 1);
  EXPECT_EQ(train.counts.long_response, 1);
  EXPECT_EQ(read(text, {}, "train", RowUse::validation).counts.kept, 2);
  json without = comparison();
  without.erase("split");
  EXPECT_THAT(message_of<Error>([&] { (void)read(without.dump(), {}, "train"); }),
              HasSubstr("`split`"));
}

TEST(Comparisons, ASplitThatIsNotThereIsAnsweredWithThoseThatAre) {
  json other = comparison();
  other["split"] = "valid1";
  const std::string rows =
      comparison().dump() + "\n" + comparison().dump() + "\n" + other.dump() + "\n";
  for (const RowUse use : {RowUse::training, RowUse::validation}) {
    EXPECT_THAT(message_of<Error>([&] { (void)read(rows, {}, "test", use); }),
                HasSubstr("c.jsonl: no comparison is of the split \"test\". There are: \"train\" "
                          "(2 rows), \"valid1\" (1 row)."));
  }
  EXPECT_EQ(read(rows, {}, "valid1").pairs.size(), 1U);
}

TEST(Comparisons, FiltersLookAtThePostAndLetItRepeat) {
  json edit = comparison();
  edit["info"]["title"] = "Edit: a title";
  json other = comparison();
  other["info"]["subreddit"] = "other";
  const std::string text = comparison().dump() + "\n" + comparison().dump() + "\n" + edit.dump() +
                           "\n" + other.dump() + "\n";
  EXPECT_EQ(read(text).pairs.size(), 4U);
  DataOptions options;
  options.filter = true;
  options.subreddits = {"r"};
  const Pairs kept = read(text, options);
  EXPECT_EQ(kept.pairs.size(), 2U);
  EXPECT_EQ(kept.counts.title, 1);
  EXPECT_EQ(kept.counts.subreddit, 1);
  EXPECT_EQ(read(text, options, "", RowUse::validation).pairs.size(), 4U);
}

TEST(Comparisons, NullIsAbsent) {
  json row = comparison();
  row["info"]["article"] = nullptr;
  row["info"]["site"] = nullptr;
  row["extra"]["confidence"] = nullptr;
  for (const char* field : {"worker", "batch", "split", "prompt", "chosen", "rejected"}) {
    row[field] = nullptr;
  }
  const Pairs result = read(row.dump());
  EXPECT_EQ(bytes_only().decode(result.pairs.at(0).query),
            "SUBREDDIT: r/r\n\nTITLE: t\n\nPOST: p\n\nTL;DR:");
  EXPECT_FALSE(result.pairs[0].comparison.confidence.has_value());
  row["info"] = {{"article", "News."},
                 {"post", nullptr},
                 {"title", nullptr},
                 {"subreddit", nullptr},
                 {"id", nullptr}};
  EXPECT_EQ(bytes_only().decode(read(row.dump()).pairs.at(0).query), "Article:\nNews.\n\nTL;DR:\n");
}

TEST(Comparisons, APromptWithAChosenAndARejectedText) {
  const std::string line =
      R"({"id":18446744073709551617,"prompt":"Q: why?\n\nA:","chosen":" so","rejected":"no",)"
      R"("split":"train","info":null})";
  const Pairs result = read(line, {}, "train");
  ASSERT_EQ(result.pairs.size(), 1U);
  const Pair& pair = result.pairs[0];
  EXPECT_EQ(bytes_only().decode(pair.query), "Q: why?\n\nA:");
  EXPECT_EQ(bytes_only().decode(pair.chosen()), " so<|endoftext|>");
  EXPECT_EQ(bytes_only().decode(pair.rejected()), "no<|endoftext|>");
  EXPECT_EQ(pair.comparison.post.id, "18446744073709551617");
  // What is made of it in the schema is read as the same.
  const Pairs again =
      read(comparison_row({.value = parse_json(line, "f"), .file = "f", .line = 1}).dump());
  EXPECT_EQ(again.pairs.at(0).query, pair.query);

  const std::string tall(600, 'a');
  const Pairs whole = read(R"({"prompt":")" + tall + R"(","chosen":"a","rejected":"b"})");
  EXPECT_EQ(whole.pairs.at(0).query.size(), tall.size()) << "a prompt is not cut";

  const auto message = [](const std::string& row) {
    return message_of<Error>([&] { (void)read(row); });
  };
  EXPECT_THAT(message(R"({"prompt":[{"role":"user","content":"a"}],"chosen":"a","rejected":"b"})"),
              HasSubstr("c.jsonl:1: the field `prompt` is a list, as conversations have it"));
  EXPECT_THAT(message(R"({"prompt":"a","chosen":[{"role":"x"}],"rejected":"b"})"),
              HasSubstr("`chosen` is a list"));
  EXPECT_THAT(message(R"({"chosen":"a","rejected":"b"})"), HasSubstr("no `prompt`"));
  EXPECT_THAT(message(R"({"prompt":"a","chosen":"a"})"), HasSubstr("`rejected` is missing"));
  DataOptions framed;
  framed.query_template = QueryTemplate::tldr;
  EXPECT_THAT(message_of<Error>([&] { (void)read(line, framed); }),
              HasSubstr("a `prompt` is used as it is"));
}

TEST(Comparisons, RowsOfNoKnownKindAreShownTheKinds) {
  const std::string message =
      message_of<Error>([&] { (void)read(R"({"question":"a","response_j":"b","x":null})"); });
  EXPECT_THAT(message,
              AllOf(HasSubstr("c.jsonl:1: the row has the fields `question`, `response_j`;"),
                    HasSubstr(R"("summaries": [{"text": " ..."}, {"text": " ..."}])"),
                    HasSubstr(R"({"prompt": "...", "chosen": " ...", "rejected": " ..."})"),
                    HasSubstr("\nCorrect the row")));
  json empty = comparison();
  empty["info"] = {{"url", "x"}};
  EXPECT_THAT(message_of<Error>([&] { (void)read(empty.dump()); }), HasSubstr("`url`"));
}

TEST(Comparisons, RealOnes) {
  PRECIS_NEEDS_DATA("preferences/tldr_comparisons_gpt4_1000.jsonl");
  DataOptions options;
  options.max_response_tokens = 128;
  const Tokenizer tokenizer = Tokenizer::load((data_folder() / "tokenizers/gpt2").string());
  EXPECT_EQ(read_pairs({data_path}, "train", RowUse::training, options, tokenizer, 640).counts.kept,
            800);
  EXPECT_EQ(
      read_pairs({data_path}, "valid1", RowUse::validation, options, tokenizer, 640).counts.kept,
      200);
  const auto samples = (data_folder() / "preferences/openai_comparisons_samples.jsonl").string();
  EXPECT_EQ(read_pairs({samples}, "", RowUse::training, options, tokenizer, 640).counts.kept, 2);
}

}  // namespace
}  // namespace precis
