// Ranks share the work of encoding rows, and have the rows of one rank that does it all.
#include "data/row_encoding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "data/comparisons.hpp"
#include "data/tokenizer_trainer.hpp"
#include "io/jsonl.hpp"
#include "parallel/mpi_test.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

RankGroup& world() { return test_session().world(); }

constexpr std::int64_t rows = 1000;

/// Row i; every 7th is bad, with letters beyond ASCII in its message.
EncodedRow encoded(std::int64_t i) {
  if (i % 7 == 3) {
    throw BadRow("Zeile " + std::to_string(i) + " ist zu l\u00e4nglich.");
  }
  const auto number = static_cast<std::int32_t>(i);
  return {.error = {},
          .body_tokens = number,
          .query = std::vector<std::int32_t>(static_cast<std::size_t>(i % 5), number),
          .responses = {{{number, -number}, std::vector<std::int32_t>(i % 3, 5)}}};
}

TEST(RowEncoding, EachRankEncodesItsPartAndHasAll) {
  const auto alone = encode_rows(rows, encoded, nullptr, 0);
  ASSERT_EQ(alone.size(), static_cast<std::size_t>(rows));
  EXPECT_EQ(alone[8], encoded(8));
  EXPECT_EQ(alone[10].error, "Zeile 10 ist zu l\u00e4nglich.");
  std::atomic<std::int64_t> calls = 0;
  const auto shared = encode_rows(
      rows,
      [&](std::int64_t i) {
        ++calls;
        return encoded(i);
      },
      &world(), 17);
  EXPECT_EQ(shared, alone);
  EXPECT_LE(calls, rows / world().size() + 1);
}

TEST(RowEncoding, RanksThatHaveReadDifferentRowsEncodeTheirOwn) {
  const bool differs = world().rank() == world().size() - 1 && world().size() > 1;
  const std::int64_t mine = differs ? rows - 1 : rows;
  const auto all = encode_rows(mine, encoded, &world(), differs ? 18 : 17);
  EXPECT_EQ(all, encode_rows(mine, encoded, nullptr, 0));
}

TEST(RowEncoding, AnErrorOfOneRowIsThatOfAllRanks) {
  const auto fail_at = [](std::int64_t i) -> EncodedRow {
    if (i == 10 || i == rows - 1) {
      throw Error("no token for byte " + std::to_string(i));
    }
    return {};
  };
  EXPECT_EQ(message_of<Error>([&] { (void)encode_rows(rows, fail_at, &world(), 0); }),
            "no token for byte 10");
}

std::string lines_of(int first, int last) {
  std::string lines;
  for (int i = first; i < last; ++i) {
    lines +=
        fmt::format(R"({{"subreddit": "r", "title": "{}", "post": "post {}", "summary": "{}"}})"
                    "\n",
                    std::string(static_cast<std::size_t>(i % 5), 't'), i % 40,
                    std::string(static_cast<std::size_t>(i % 60), 's'));
  }
  return lines;
}

TEST(RowEncoding, ExamplesAreThoseOfOneRank) {
  const TemporaryFolder folder;
  const std::string file = folder.file("rows.jsonl", lines_of(0, 100) + "{}\n");
  const Tokenizer tokenizer = TokenizerTrainer().train(257);
  DataOptions options;
  options.filter = true;
  options.skip_bad = true;
  options.limit = 6;
  options.max_query_tokens = 41;  // cuts all posts; the longest titles leave no room
  const auto read = [&](RankGroup* ranks) {
    return read_examples({file}, RowUse::training, options, tokenizer, 76, {}, ranks);
  };
  const Examples alone = read(nullptr);
  const Examples shared = read(&world());
  EXPECT_EQ(shared.counts.describe(), alone.counts.describe());
  ASSERT_EQ(shared.examples.size(), alone.examples.size());
  EXPECT_EQ(alone.counts.describe(),
            "101 rows read, 6 kept; dropped: 9 unreadable, 60 with the body of an earlier row, 22 "
            "with a summary outside 24 to 48 tokens, 3 longer than the model's context, 1 beyond "
            "data.limit.");
  for (std::size_t i = 0; i < alone.examples.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(shared.examples[i].tokens(), alone.examples[i].tokens()));
    EXPECT_EQ(shared.examples[i].query().size(), alone.examples[i].query().size());
    EXPECT_EQ(shared.examples[i].row.line, alone.examples[i].row.line);
  }
}

TEST(RowEncoding, ComparisonsAreThoseOfOneRank) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 50; ++i) {
    lines += fmt::format(R"({{"prompt": "q{}", "chosen": "{}", "rejected": "no"}})"
                         "\n",
                         i, std::string(static_cast<std::size_t>(i % 20), 'c'));
  }
  const std::string file = folder.file("pairs.jsonl", lines);
  const Tokenizer tokenizer = TokenizerTrainer().train(257);
  DataOptions options;
  options.max_response_tokens = 15;
  for (const std::int64_t limit : {0, 12}) {
    options.limit = limit;
    const auto read = [&](RankGroup* ranks) {
      return read_pairs({file}, "", RowUse::training, options, tokenizer, 1024, {}, ranks);
    };
    const Pairs alone = read(nullptr);
    const Pairs shared = read(&world());
    EXPECT_EQ(shared.counts.describe(), alone.counts.describe());
    ASSERT_EQ(shared.pairs.size(), alone.pairs.size());
    EXPECT_EQ(alone.pairs.size(), limit == 0 ? 40U : 12U);
    for (std::size_t i = 0; i < alone.pairs.size(); ++i) {
      EXPECT_EQ(shared.pairs[i].query, alone.pairs[i].query);
      EXPECT_EQ(shared.pairs[i].responses, alone.pairs[i].responses);
    }
  }
}

TEST(RowEncoding, PostsOfOtherKindsAreOtherRows) {
  const TemporaryFolder folder;
  const bool differs = world().rank() == world().size() - 1 && world().size() > 1;
  std::string lines;
  for (int i = 0; i < 30; ++i) {
    lines += differs ? fmt::format(R"({{"article": "{}", "highlights": "x"}})", i)
                     : fmt::format(
                           R"({{"subreddit": "", "title": "", "post": "{}", "summary": "x"}})", i);
    lines += "\n";
  }
  const std::string file = folder.file("rows.jsonl", lines);
  const Tokenizer tokenizer = TokenizerTrainer().train(257);
  const auto read = [&](RankGroup* ranks) {
    return read_examples({file}, RowUse::training, {}, tokenizer, 1024, {}, ranks);
  };
  const Examples own = read(nullptr);
  const Examples shared = read(&world());
  ASSERT_EQ(shared.examples.size(), 30U);
  for (std::size_t i = 0; i < own.examples.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(shared.examples[i].tokens(), own.examples[i].tokens()));
  }
}

TEST(RowEncoding, AFileThatOneRankCannotReadIsAnErrorOnAll) {
  const TemporaryFolder folder;
  const std::string file = folder.file("rows.jsonl", lines_of(30, 40));
  const Tokenizer tokenizer = TokenizerTrainer().train(257);
  const bool lacks = world().rank() == world().size() - 1;
  EXPECT_THAT(message_of<Error>([&] {
                (void)read_examples({lacks ? file + ".missing" : file}, RowUse::training, {},
                                    tokenizer, 1024, {}, &world());
              }),
              HasSubstr(".missing"));
}

}  // namespace
}  // namespace precis
