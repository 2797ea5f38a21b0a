#include "io/jsonl.hpp"

#include "io/output_file.hpp"
#include "io/row_file.hpp"
#include "io/row_id.hpp"
#include "io/text_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <bit>
#include <cstdint>
#include <limits>

namespace precis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<int> read_a(const std::string& path, bool skip_bad = false,
                        std::int64_t* skipped = nullptr) {
  std::vector<int> values;
  const auto bad = for_each_row(
      path, skip_bad, [&](const JsonRow& row) { values.push_back(row.value.at("a").get<int>()); });
  if (skipped != nullptr) {
    *skipped = bad;
  }
  return values;
}

TEST(Jsonl, NewlinesAndByteOrderMarkDoNotMatter) {
  const TemporaryFolder folder;
  for (const char* text :
       {"{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":2}", "\xEF\xBB\xBF{\"a\":1}\r\n{\"a\":2}\r\n",
        "{\"a\":1}\n{\"a\":2}\n\n \n"}) {
    EXPECT_THAT(read_a(folder.file("x", text)), ElementsAre(1, 2)) << text;
  }
  EXPECT_THAT(read_a(folder.file("x", "")), IsEmpty());
}

TEST(Jsonl, GzipReadsAndADamagedOneIsAnError) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    text += "{\"a\":" + std::to_string(i * 7919 % 5003) + "}\n";
  }
  const std::string path = folder / "x.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
  EXPECT_EQ(read_a(path).size(), 5000U);
  EXPECT_EQ(read_text_file(path), text);
  const std::string bytes = read_file(path);
  const std::string cut = folder.file("cut.gz", bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(message_of<Error>([&] { (void)read_a(cut); }), HasSubstr("damaged or cut short"));
  std::string flipped = bytes;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
  const std::string bad = folder.file("bad.gz", flipped);
  EXPECT_THAT(message_of<Error>([&] { (void)read_a(bad); }), HasSubstr("damaged"));
}

TEST(Jsonl, BadLinesAreNamedOrSkipped) {
  const TemporaryFolder folder;
  const std::string deep(1001, '[');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"a\":1", "not JSON"},
      {"[1]", "a JSON object was expected"},
      {"{\"b\":\"\xFF\"}", "byte 7 is not UTF-8"},
      {"{\"b\":\"\\ud800\"}", "not JSON"},
      {"{\"b\":\"\\udc00x\"}", "not JSON"},
      {"{\"b\":" + deep + std::string(1001, ']') + "}", "nested 1002 deep"},
      {"", "blank"},
      {"{\"a\":1}{\"a\":2}", "not JSON"},
      {"{\"a\":NaN}", "not JSON"},
      {"{\"a\":1e999}", "not JSON"},
  };
  for (const auto& [line, reason] : cases) {
    const std::string path = folder.file("x", "{\"a\":1}\n" + line + "\n{\"a\":3}\n");
    const std::string message = message_of<Error>([&] { (void)read_a(path); });
    EXPECT_THAT(message, HasSubstr(path + ":2: ")) << line;
    EXPECT_THAT(message, HasSubstr(reason)) << line;
    std::int64_t skipped = 0;
    EXPECT_THAT(read_a(path, true, &skipped), ElementsAre(1, 3)) << line;
    EXPECT_EQ(skipped, 1) << line;
  }
}

TEST(Jsonl, TheLastOfEqualKeysCountsAndBracketsInTextDoNotNest) {
  const TemporaryFolder folder;
  EXPECT_THAT(read_a(folder.file("x", "{\"a\":1,\"a\":2}")), ElementsAre(2));
  EXPECT_THAT(read_a(folder.file("x", "{\"t\":\"" + std::string(3000, '[') + "\\\"[\",\"a\":4}")),
              ElementsAre(4));
}

TEST(Jsonl, MissingFilesAndFoldersAreClear) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<Error>([&] { (void)read_a(folder / "none"); }),
              HasSubstr("does not exist"));
  EXPECT_THAT(message_of<Error>([&] { (void)read_a(folder.path()); }), HasSubstr("folder"));
}

TEST(Jsonl, WrittenFloatsReadBackToTheSameBits) {
  for (const float value : {0.1F, 1.0F / 3, 1e-45F, 3.4028235e38F, -0.0F, 16777216.0F, 1e10F}) {
    const auto text = to_line({{"x", shortest(value)}});
    const auto back = nlohmann::json::parse(text).at("x").get<float>();
    EXPECT_EQ(std::bit_cast<std::uint32_t>(back), std::bit_cast<std::uint32_t>(value)) << text;
  }
  EXPECT_EQ(to_line({{"x", shortest(0.1F)}}), "{\"x\":0.1}");
  const double third = 1.0 / 3;
  EXPECT_EQ(nlohmann::json::parse(to_line({{"x", third}})).at("x").get<double>(), third);
}

TEST(Jsonl, WriterLeavesNothingUnlessCommitted) {
  const TemporaryFolder folder;
  const std::string path = folder / "out.jsonl";
  {
    JsonlWriter writer(path);
    writer.write({{"b", 1}, {"a", 2}});
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  JsonlWriter writer(path);
  writer.write({{"b", 1}, {"a", 2}});
  writer.commit();
  EXPECT_EQ(read_file(path), "{\"b\":1,\"a\":2}\n");
}

TEST(RowId, TextAndWholeNumbersOfAnyLengthAreKept) {
  const TemporaryFolder folder;
  const auto ids = [&](const std::string& text, const auto& id) {
    std::vector<std::string> found;
    for_each_row(folder.file("x", text), [&](const JsonRow& row) { found.push_back(id(row)); });
    return found;
  };
  EXPECT_THAT(
      ids("{\"id\":18446744073709551617}\n{\"id\":-5}\n{\"id\":\"t3_a\"}\n{\"id\":null}\n{}\n"
          "{\"id\":18446744073709551615}\n{\"id\":\"\"}\n"
          "{\"id\":" +
              std::string(300, '9') + "}\n{\"id\":\"007\"}",
          id_of),
      ElementsAre("18446744073709551617", "-5", "t3_a", "3", "4", "18446744073709551615", "6",
                  std::string(300, '9'), "007"));
  for (const char* bad : {"1.5", "true", "{}", "[1]", "1e2", "1.0", "-1e400"}) {
    const std::string rows = "{\"id\":1}\n{\"id\":" + std::string(bad) + "}\n";
    EXPECT_THAT(message_of<BadRow>([&] { (void)ids(rows, id_of); }), HasSubstr("x:2: ")) << bad;
  }
  EXPECT_THAT(ids("{\"id\":7}\n{\"id\":\"7\"}", required_id), ElementsAre("7", "7"));
  EXPECT_THAT(message_of<BadRow>([&] { (void)ids("{\"id\":null}", required_id); }),
              HasSubstr("x:1: the field `id` is missing"));
}

TEST(Jsonl, OnlyIdsOfRowsKeepDigitsBeyondANumbers) {
  const auto row =
      parse_json(R"({"a":[{"id":99999999999999999999}],"id":[123456789012345678901],"x":1e3,)"
                 R"("n":99999999999999999999,"id2":{"a":2},"t":"\u00e9"})",
                 "w");
  EXPECT_EQ(row["a"][0]["id"], "99999999999999999999");
  EXPECT_TRUE(row["id"][0].is_number_float());
  EXPECT_TRUE(row["n"].is_number_float());
  EXPECT_EQ(row["x"], 1000.0);
  EXPECT_EQ(row["id2"]["a"], 2);
  EXPECT_EQ(row["t"], "\xC3\xA9");
}

TEST(TextFile, ANameWithACommaIsPointedOut) {
  const TemporaryFolder folder;
  const auto file = folder.file("a,b, c.jsonl", "");
  EXPECT_THAT(expand_files({file}), ElementsAre(file));
  for (const std::vector<std::string>& parts :
       {std::vector<std::string>{folder / "a", "b", "c.jsonl"},
        {file, folder / "a", "b, c.jsonl"}}) {
    EXPECT_THAT(
        message_of<Error>([&] { (void)expand_files(parts); }),
        AllOf(HasSubstr("a: the file does not exist, but " + folder.path().string() + "/a,b"),
              HasSubstr("/a\\,b\\, c.jsonl'")))
        << parts.size();
  }
}

TEST(TextFile, ANameWithACommaIsPointedOutBesideAStream) {
  const TemporaryFolder folder;
  (void)folder.file("a,b.jsonl", "");
  const auto is_stream_of_rank_0 = [](const std::string& name) { return name == "/no/pipe"; };
  EXPECT_THAT(expand_files({"/no/pipe"}, is_stream_of_rank_0), ElementsAre("/no/pipe"));
  EXPECT_THAT(message_of<Error>([&] {
                (void)expand_files({"/no/pipe", folder / "a", "b.jsonl"}, is_stream_of_rank_0);
              }),
              HasSubstr("/a,b.jsonl does. In a list of files a comma"));
  EXPECT_THAT(message_of<Error>([&] { (void)expand_files({"-"}); }),
              HasSubstr("Standard input is named /dev/stdin."));
}

TEST(TextFile, GlobsExpandSorted) {
  const TemporaryFolder folder;
  const auto b = folder.file("b.jsonl", "");
  const auto a = folder.file("a.jsonl", "");
  const auto other = folder.file("other.txt", "");
  EXPECT_THAT(expand_files({other, folder / "*.jsonl"}), ElementsAre(other, a, b));
  EXPECT_THROW((void)expand_files({folder / "*.csv"}), Error);
  EXPECT_THROW((void)expand_files({folder / "none"}), Error);
  EXPECT_THROW((void)expand_files({""}), UsageError);
}

}  // namespace
}  // namespace precis
