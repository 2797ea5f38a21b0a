#include "data/tldr.hpp"

#include "base/random.hpp"
#include "data/row_filter.hpp"
#include "data/tokenizer_trainer.hpp"
#include "io/output_file.hpp"
#include "support/expect_error.hpp"
#include "support/real_data.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace precis {
namespace {

using ::testing::HasSubstr;

Tokenizer tokenizer_of(const std::string& text, std::int64_t vocabulary = 400) {
  TokenizerTrainer trainer;
  trainer.add(text);
  return trainer.train(vocabulary);
}

Post post_of(std::string body) {
  return {.id = "1", .subreddit = "tifu", .title = "A title", .body = std::move(body)};
}

TEST(Query, FormatsAreOpenAis) {
  EXPECT_EQ(format_query(post_of("Body."), QueryTemplate::automatic, "w"),
            "SUBREDDIT: r/tifu\n\nTITLE: A title\n\nPOST: Body.\n\nTL;DR:");
  Post article = post_of("News.");
  article.kind = PostKind::article;
  EXPECT_EQ(format_query(article, QueryTemplate::automatic, "w"), "Article:\nNews.\n\nTL;DR:\n");
  EXPECT_EQ(format_query(article, QueryTemplate::transfer, "w"), "News.\n\nTL;DR:");
  EXPECT_THROW((void)format_query(article, QueryTemplate::tldr, "w"), BadRow);
  EXPECT_THROW((void)format_query(post_of("x"), QueryTemplate::cnndm, "w"), BadRow);
}

std::vector<std::int32_t> one_token_a_character(std::string_view text) {
  return {text.begin(), text.end()};
}

// openai/summarize-from-feedback, test_tasks.py: one token a character. Cutting removes characters
// from the end of the query field; padding does not exist here.
TEST(Query, OpenAiTaskVectors) {
  PRECIS_NEEDS_DATA("expected/openai_task_tests.json");
  const auto tests = nlohmann::json::parse(read_file(data_path));
  int checked = 0;
  for (const auto& row : tests.at("process_query")) {
    ASSERT_EQ(row.at("format_str"), "<{query}>");
    if (!row.contains("expect_text") && !row.contains("expect_tokens")) {
      continue;  // about padding
    }
    const auto ids = truncate_query("<", row.at("query").get<std::string>(), ">",
                                    row.at("length").get<std::int64_t>(), one_token_a_character);
    ASSERT_TRUE(ids.has_value());
    std::vector<std::int32_t> expected;
    if (row.contains("expect_text")) {
      expected = one_token_a_character(row.at("expect_text").get<std::string>());
    } else {
      expected = row.at("expect_tokens").get<std::vector<std::int32_t>>();
      expected.erase(expected.begin(), std::find(expected.begin(), expected.end(), '<'));
    }
    EXPECT_EQ(*ids, expected);
    ++checked;
  }
  EXPECT_EQ(checked, 2);
}

TEST(Query, CutsAtNewlinesThenCharacters) {
  const auto cut = [](const std::string& body, std::int64_t tokens) {
    const auto ids = truncate_query("<", body, ">", tokens, one_token_a_character);
    return ids ? std::string(ids->begin(), ids->end()) : "none";
  };
  EXPECT_EQ(cut("ab\ncd\nef", 10), "<ab\ncd\nef>");
  EXPECT_EQ(cut("ab\ncd\nef", 9), "<ab\ncd>");
  EXPECT_EQ(cut("ab\ncd\nef", 6), "<ab>");
  EXPECT_EQ(cut("ab\ncd\nef", 3), "<a>");
  EXPECT_EQ(cut("ab\n", 2), "<>");
  EXPECT_EQ(cut("ab", 1), "none");
  // A character goes whole.
  EXPECT_EQ(truncate_query("", "a\xC3\xA9", "", 2, one_token_a_character)->size(), 1U);
}

TEST(Query, ABeginTokenCountsAsOneOfItsTokens) {
  const Tokenizer plain = tokenizer_of("a body with words and lines", 290);
  const Tokenizer begun = plain.with_begin({plain.end_token()});
  const Post post = post_of("A body.\nAnd a line.\nAnd a second one that is longer.");
  const auto query = [&](const Tokenizer& tokenizer, std::int64_t most) {
    return encode_query(tokenizer, post, QueryTemplate::automatic, most, "w");
  };
  const auto whole = static_cast<std::int64_t>(query(plain, 512).size());
  for (const std::int64_t most : {512L, whole + 1, whole, whole - 30}) {
    std::vector<std::int32_t> expected = query(plain, most - 1);
    expected.insert(expected.begin(), plain.end_token());
    EXPECT_EQ(query(begun, most), expected) << most;
  }
  EXPECT_LT(query(begun, whole).size(), query(plain, whole).size()) << "a line was cut for it";
  EXPECT_THROW((void)query(begun, 1), BadRow);
  // The filters count tokens of texts, which it is none of.
  EXPECT_EQ(encode_summary(begun, "a b"), encode_summary(plain, "a b"));
}

TEST(Query, FastCutsAreThePlainOnes) {
  const Tokenizer tokenizer = tokenizer_of(
      "the cat sat on the mat   \n\n the caf\xC3\xA9 \xE2\x80\x83 TL;DR: it's 1234 aaaa", 330);
  ASSERT_TRUE(tokenizer.pieces_are_local());
  RandomStream random(11, Purpose::testing, 1);
  const std::vector<std::string> words = {
      " ",  "  ", "\n",           "the cat", "'s",   "\xC3\xA9", "\xE2\x80\x83", "aaaaaaaaaaaaaaa",
      "42", ".",  "\xE4\xB8\xAD", "\t\n ",   "mat\n"};
  int cut = 0;
  for (int round = 0; round < 300; ++round) {
    std::string body;
    for (auto left = random.below(60); left > 0; --left) {
      body += words[random.below(static_cast<std::uint32_t>(words.size()))];
    }
    const Post post = post_of(body);
    const std::string frame = format_query(post_of(""), QueryTemplate::tldr, "w");
    const auto least = static_cast<std::int64_t>(tokenizer.encode(frame).size());
    const std::int64_t most = least + random.below(40);
    const std::string before = frame.substr(0, frame.size() - 8);
    const auto expected =
        truncate_query(before, body, "\n\nTL;DR:", most,
                       [&](std::string_view text) { return tokenizer.encode(text); });
    ASSERT_TRUE(expected.has_value());
    EXPECT_EQ(encode_query(tokenizer, post, QueryTemplate::tldr, most, "w"), *expected) << body;
    cut += tokenizer.encode(format_query(post, QueryTemplate::tldr, "w")).size() > expected->size();
  }
  EXPECT_GT(cut, 100);
}

TEST(Query, AMegabyteOfOneLetterIsCut) {
  const Tokenizer tokenizer = tokenizer_of("aaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaa");
  const auto ids =
      encode_query(tokenizer, post_of(std::string(1'000'000, 'a')), QueryTemplate::tldr, 120, "w");
  EXPECT_LE(ids.size(), 120U);
  EXPECT_GT(ids.size(), 110U);
}

TEST(Query, AFrameThatIsTooLongIsAnError) {
  const Tokenizer tokenizer = tokenizer_of("x");
  EXPECT_THAT(message_of<Error>([&] {
                (void)encode_query(tokenizer, post_of("b"), QueryTemplate::tldr, 5, "f:3");
              }),
              HasSubstr("f:3: "));
}

TEST(Response, SpaceSummaryEnd) {
  const Tokenizer tokenizer = tokenizer_of("hello hello");
  const auto ids = encode_summary(tokenizer, "hello");
  EXPECT_EQ(ids.back(), tokenizer.end_token());
  Tokenizer of_a_model = tokenizer;
  of_a_model.set_end_token(7);
  EXPECT_EQ(encode_summary(of_a_model, "hello").back(), 7);
  EXPECT_EQ(tokenizer.decode(ids), " hello<|endoftext|>");
}

std::string row(const std::string& subreddit, const std::string& title, const std::string& post,
                const std::string& summary) {
  return nlohmann::json{{"id", "i"},
                        {"subreddit", subreddit},
                        {"title", title},
                        {"post", post},
                        {"summary", summary}}
             .dump() +
         "\n";
}

TEST(Examples, FiltersDropAndCount) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = tokenizer_of("w", 257);  // one token a byte
  const std::string fine(30, 's');                     // with blank and end token: 32 tokens
  const std::string path = folder.file(
      "x", row("a", "t", "one", fine) + row("b", "t", "two", fine) +
               row("a", "Edit: x", "3", fine) + row("a", "[UPDATE] x", "4", fine) +
               row("a", "t", "one", fine) + row("a", "t", std::string(513, 'b'), fine) +
               row("a", "t", "6", "short") + row("a", "t", "7", std::string(47, 's')) +
               row("a", "t", "8", std::string(22, 's')) + row("a", "t", "9", std::string(46, 's')));
  DataOptions options;
  options.filter = true;
  options.subreddits = {"a"};
  const Examples result = read_examples({path}, RowUse::training, options, tokenizer, 1024);
  EXPECT_EQ(result.counts.read, 10);
  EXPECT_EQ(result.counts.subreddit, 1);
  EXPECT_EQ(result.counts.title, 2);
  EXPECT_EQ(result.counts.duplicate, 1);
  EXPECT_EQ(result.counts.long_body, 1);
  EXPECT_EQ(result.counts.summary_length, 2);
  EXPECT_EQ(result.counts.kept, 3);  // 32, 24 and 48 tokens
  ASSERT_EQ(result.examples.size(), 3U);
  EXPECT_EQ(result.examples[1].response().size(), 24U);
  EXPECT_EQ(result.examples[2].response().size(), 48U);
  EXPECT_THAT(result.counts.describe(), HasSubstr("10 rows read, 3 kept; dropped: 1 of other"));

  // Without the filter only the length of the response counts; validation takes every row.
  options = DataOptions{};
  EXPECT_EQ(read_examples({path}, RowUse::training, options, tokenizer, 4096).counts.long_response,
            1);
  EXPECT_EQ(read_examples({path}, RowUse::validation, options, tokenizer, 4096).counts.kept, 10);
  EXPECT_EQ(read_examples({path}, RowUse::validation, options, tokenizer, 300).counts.long_context,
            1);
  options.limit = 4;
  EXPECT_EQ(read_examples({path}, RowUse::prompts, options, tokenizer, 4096).examples.size(), 4U);
}

TEST(Examples, BadRowsNameFileLineAndField) {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = tokenizer_of("w", 257);
  const std::string good = row("a", "t", "p", "s");
  const std::string path = folder.file("x", good + R"({"subreddit":"a","title":"t","post":"p"})"
                                                   "\n");
  DataOptions options;
  EXPECT_EQ(message_of<Error>(
                [&] { (void)read_examples({path}, RowUse::training, options, tokenizer, 1024); }),
            path +
                ":2: the field `summary` is missing. Correct the row, or skip and count such rows "
                "with data.skip_bad true.");
  EXPECT_EQ(read_examples({path}, RowUse::prompts, options, tokenizer, 1024).counts.kept, 2);
  options.skip_bad = true;
  const auto counts = read_examples({path}, RowUse::training, options, tokenizer, 1024).counts;
  EXPECT_EQ(counts.bad, 1);
  EXPECT_EQ(counts.read, 2);
  const std::string wrong =
      folder.file("y", R"({"subreddit":"a","title":7,"post":"p","summary":"s"})");
  EXPECT_THAT(message_of<Error>(
                  [&] { (void)read_examples({wrong}, RowUse::training, {}, tokenizer, 1024); }),
              HasSubstr("`title` is number; expected text"));
  const std::string empty = folder.file("z", "");
  EXPECT_THAT(message_of<Error>(
                  [&] { (void)read_examples({empty}, RowUse::training, {}, tokenizer, 1024); }),
              HasSubstr("no row"));
}

TEST(Examples, RealPosts) {
  PRECIS_NEEDS_DATA("tldr/tldr_valid_1945.jsonl");
  const Tokenizer tokenizer = Tokenizer::load((data_folder() / "tokenizers/gpt2").string());
  const Examples result = read_examples({data_path}, RowUse::validation, {}, tokenizer, 560);
  EXPECT_EQ(result.counts.kept, 1945);
  std::size_t shortest_query = 1000;
  std::size_t longest_query = 0;
  for (const Example& example : result.examples) {
    shortest_query = std::min(shortest_query, example.query().size());
    longest_query = std::max(longest_query, example.query().size());
  }
  EXPECT_EQ(shortest_query, 52U);
  EXPECT_EQ(longest_query, 512U);
}

}  // namespace
}  // namespace precis
