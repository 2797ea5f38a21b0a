#include "feedback/samples.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "synthetic/synthesize.hpp"

namespace precis {
namespace {

class Samples : public ::testing::Test {
 protected:
  Samples() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  ~Samples() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) {
    auto path = (folder_ / name).string();
    std::ofstream(path) << text;
    return path;
  }

  std::vector<GoldRow> rows() { return read_gold_rows(file("rows.jsonl", row(0) + row(1))); }

  static std::string row(std::uint64_t index) {
    const SyntheticRow source = synthesize_row(1, index, {});
    return R"({"id":")" + std::to_string(index) + R"(","subreddit":"a","title":"b","post":")" +
           source.post + R"(","summary":")" + source.summary + "\"}\n";
  }

  static std::string sample(const std::string& id, int index, const std::string& finish = "eos") {
    return R"({"id":")" + id + R"(","index":)" + std::to_string(index) + R"(,"response":" text )" +
           id + std::to_string(index) + R"(","finish":")" + finish + "\"}\n";
  }

  std::string error_of(const std::string& samples) {
    try {
      (void)read_samples(file("samples.jsonl", samples), rows());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(Samples, IdsThatAreNumbersMatchDigitForDigit) {
  const std::string text = R"(,"index":0,"response":" a","finish":"eos"})";
  const auto samples =
      read_samples(file("s.jsonl", R"({"id":18446744073709551617)" + text + "\n" +
                                       R"({"id":"18446744073709551616")" + text + "\n"),
                   {"18446744073709551616", "18446744073709551617"}, "rows.jsonl");
  EXPECT_EQ(samples.size(), 2U);
  const std::string message = error_of(R"({"id":1.5)" + text + "\n");
  EXPECT_NE(message.find("s.jsonl:1: the field `id` is 1.5"), std::string::npos) << message;
}

TEST_F(Samples, AreMatchedToRowsByIdAndSortedByIndex) {
  const auto samples = read_samples(
      file("s.jsonl", sample("1", 1) + sample("0", 0, "length") + sample("1", 0) + sample("0", 1)),
      rows());
  ASSERT_EQ(samples.size(), 2U);
  ASSERT_EQ(samples[0].size(), 2U);
  EXPECT_EQ(samples[0][0].response, " text 00");
  EXPECT_FALSE(samples[0][0].ended);
  EXPECT_EQ(samples[1][1].response, " text 11");
  EXPECT_TRUE(samples[1][1].ended);
}

TEST_F(Samples, ThatDoNotFitTheRowsAreNamed) {
  EXPECT_NE(error_of(sample("0", 0) + sample("7", 0) + sample("1", 0)).find('7'),
            std::string::npos);
  EXPECT_NE(error_of(sample("0", 0)).find("no samples of the rows with id 1"), std::string::npos);
  EXPECT_NE(error_of(sample("0", 0) + sample("0", 0) + sample("1", 0)).find("second time"),
            std::string::npos);
  EXPECT_NE(error_of(sample("0", 0) + sample("0", 1) + sample("1", 0)).find("must have as many"),
            std::string::npos);
  EXPECT_NE(error_of(sample("0", 0, "stop") + sample("1", 0)).find("finish"), std::string::npos);
  EXPECT_NE(error_of(sample("0", -1) + sample("1", 0)).find("index"), std::string::npos);
  EXPECT_EQ(error_of(sample("0", 0) + sample("1", 0)), "");
}

TEST_F(Samples, RowsWithOneIdTwiceAForeignPostOrNoneAreRefused) {
  EXPECT_THROW((void)read_gold_rows(file("twice.jsonl", row(0) + row(0))), Error);
  EXPECT_THROW((void)read_gold_rows(file("empty.jsonl", "")), Error);
  EXPECT_THROW(
      (void)read_gold_rows(file(
          "foreign.jsonl",
          R"({"id":"0","subreddit":"a","title":"b","post":"Call me Ishmael.","summary":"c"})")),
      Error);
}

TEST_F(Samples, ARowWithoutAnIdHasItsLineNumber) {
  const SyntheticRow source = synthesize_row(1, 0, {});
  const auto found =
      read_gold_rows(file("no_id.jsonl", R"({"subreddit":"a","title":"b","post":")" + source.post +
                                             R"(","summary":")" + source.summary + "\"}\n"));
  EXPECT_EQ(found.at(0).id, "0");
  EXPECT_EQ(found.at(0).facts, source.facts);
}

}  // namespace
}  // namespace precis
