// The commands that work on rows and files without MPI, as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/file_damage.hpp"
#include "io/state_file.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Words = std::vector<std::string>;

Outcome precis(Words words) {
  words.insert(words.begin(), PRECIS_PROGRAM);
  return run(words);
}

/// Posts, a tokenizer of them, and a file of rows to encode.
class DataCommands : public testing::Test {
 protected:
  void SetUp() override {
    succeed({"synthesize", "--output", file("data"), "--posts", "100", "--seed", "3"});
    succeed({"tokenizer", "--input", file("data/*.jsonl"), "--vocab", "400", "--output",
             file("tokenizer.json")});
  }

  [[nodiscard]] std::string file(const std::string& name) const { return folder_ / name; }

  static std::string succeed(const Words& words) {
    const Outcome outcome = precis(words);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  }

  /// The command ends with this status and one message, and leaves nothing under the name `out`.
  void refuse(int status, const std::string& message, const Words& words) const {
    const Outcome outcome = precis(words);
    EXPECT_EQ(outcome.status, status) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(testing::StartsWith("precis: "), HasSubstr(message)));
    EXPECT_FALSE(std::filesystem::exists(file("out")));
    EXPECT_FALSE(std::filesystem::exists(file("out.partial")));
  }

  [[nodiscard]] Words coding(const std::string& command, const std::string& content) const {
    overwrite(file("in"), content);
    return {command,    "--tokenizer", file("tokenizer.json"), "--input", file("in"),
            "--output", file("out")};
  }

  TemporaryFolder folder_;
};

TEST_F(DataCommands, SynthesizeWritesThreePartsOfASeed) {
  EXPECT_EQ(lines_of(file("data/train.jsonl")), 90);
  EXPECT_EQ(lines_of(file("data/valid.jsonl")), 5);
  EXPECT_EQ(lines_of(file("data/test.jsonl")), 5);
  for (const char* seed : {"3", "4"}) {
    succeed({"synthesize", "--output", file("again"), "--posts", "100", "--seed", seed});
    EXPECT_EQ(text_of(file("again/train.jsonl")) == text_of(file("data/train.jsonl")),
              std::string(seed) == "3");
  }
}

TEST_F(DataCommands, SynthesizeReplacesOnlyWhatItWrote) {
  std::filesystem::create_directory(file("mine"));
  for (const char* content : {"{\"post\":\"a\"}\n", "not JSON\n", "{\"id\":\"a\"}\n"}) {
    overwrite(file("mine/valid.jsonl"), content);
    refuse(1, "it exists and holds valid.jsonl, which this command did not write",
           {"synthesize", "--output", file("mine"), "--posts", "20"});
    EXPECT_EQ(text_of(file("mine/valid.jsonl")), content);
    EXPECT_FALSE(std::filesystem::exists(file("mine/train.jsonl")));
  }
  // One post leaves two empty files, which may be replaced.
  for (const char* posts : {"1", "20"}) {
    overwrite(file("again/notes.txt"), "");
    succeed({"synthesize", "--output", file("again"), "--posts", posts});
  }
  EXPECT_EQ(lines_of(file("again/valid.jsonl")), 1);
}

TEST_F(DataCommands, TokenizerSaysWhenTheMergesRunOut) {
  const auto tokenizer = nlohmann::json::parse(text_of(file("tokenizer.json")));
  EXPECT_EQ(tokenizer["model"]["vocab"].size(), 400U);
  EXPECT_EQ(tokenizer["model"]["vocab"]["<|endoftext|>"], 399);
  EXPECT_THAT(succeed({"tokenizer", "--input", file("data/test.jsonl"), "--vocab", "100000",
                       "--output", file("large.json")}),
              HasSubstr("instead of 100,000"));
}

TEST_F(DataCommands, TextBecomesIdsAndComesBack) {
  succeed(coding("encode",
                 "\xEF\xBB\xBF{\"text\":\"My boss caf\\u00e9\"}\r\n"
                 "{\"text\":\"first\",\"text\":\"a <|endoftext|>\",\"more\":[1]}"));
  EXPECT_EQ(text_of(file("out")).find("399"), std::string::npos);
  const std::string ids = text_of(file("out"));
  succeed(coding("decode", ids));
  EXPECT_EQ(text_of(file("out")),
            "{\"text\":\"My boss caf\xC3\xA9\"}\n{\"text\":\"a <|endoftext|>\"}\n");
  Words special = coding("encode", "{\"text\":\"a <|endoftext|>\"}\n");
  special.insert(special.end(), {"--special", "true"});
  succeed(special);
  EXPECT_THAT(text_of(file("out")), HasSubstr(",399]"));
}

TEST_F(DataCommands, BytesThatAreNotTextAreGivenInBase64) {
  // The bytes in the order of GPT-2's alphabet: 0xC3 is number 127.
  succeed(coding("decode", "{\"ids\":[127]}\n{\"ids\":[]}\n"));
  EXPECT_EQ(text_of(file("out")),
            "{\"text\":\"\xEF\xBF\xBD\",\"bytes\":\"ww==\"}\n{\"text\":\"\"}\n");
}

TEST_F(DataCommands, AnIdWithoutATokenIsCountedAndNoText) {
  EXPECT_THAT(succeed(coding("decode", "{\"ids\":[64,400,65]}\n{\"ids\":[50000]}\n")),
              HasSubstr("2 ids of the input: the tokenizer has no token"));
  EXPECT_EQ(text_of(file("out")), "{\"text\":\"ab\"}\n{\"text\":\"\"}\n");
}

TEST_F(DataCommands, EmptyFilesBecomeEmptyFiles) {
  for (const char* command : {"encode", "decode"}) {
    for (const char* content : {"", "\xEF\xBB\xBF", "\n"}) {
      succeed(coding(command, content));
      EXPECT_EQ(text_of(file("out")), "");
    }
  }
}

TEST_F(DataCommands, BadRowsAreNamedOrSkipped) {
  refuse(1, "in:2: not JSON", coding("encode", "{\"text\":\"a\"}\n{\"text\":\"b\""));
  refuse(1, "in:1: not JSON", coding("encode", "{\"text\":\"\\ud800\"}\n"));
  refuse(1, "in:1: byte 10 is not UTF-8", coding("encode", "{\"text\":\"\xFF\"}\n"));
  refuse(1, "in:1: the field `text` is missing", coding("encode", "{\"ids\":[1]}\n"));
  refuse(1, "in:1: the field `ids` holds -1", coding("decode", "{\"ids\":[-1]}\n"));
  Words skipping = coding("encode", "{\"text\":1}\n\n{\"text\":\"a\"}\n");
  skipping.emplace_back("--data.skip_bad");
  EXPECT_THAT(succeed(skipping), HasSubstr("2 rows could not be read"));
  EXPECT_EQ(lines_of(file("out")), 1);
}

TEST_F(DataCommands, MistakesOnTheCommandLine) {
  const std::string rows = file("data/test.jsonl");
  refuse(2, "--input", {"encode", "--tokenizer", file("tokenizer.json"), "--output", file("out")});
  refuse(2, "Did you mean --tokenizer?", {"encode", "--tokeniser", "x"});
  refuse(2, "--vocab is '256'",
         {"tokenizer", "--input", rows, "--vocab", "256", "--output", file("out")});
  refuse(2, "--posts is '0'", {"synthesize", "--output", file("out"), "--posts", "0"});
  refuse(1, "does not exist",
         {"tokenizer", "--input", file("none"), "--vocab", "300", "--output", file("out")});
  refuse(1, "no file matches",
         {"tokenizer", "--input", file("none*"), "--vocab", "300", "--output", file("out")});
  refuse(1, "/dev/null holds no rows",
         {"tokenizer", "--input", "/dev/null", "--vocab", "300", "--output", file("out")});
  refuse(1, "is a folder",
         {"tokenizer", "--input", rows, "--vocab", "300", "--output", file("data")});
}

TEST_F(DataCommands, AnOutputIsReplacedOnlyByACompleteOne) {
  succeed(coding("encode", "{\"text\":\"a\"}\n"));
  const std::string before = text_of(file("out"));
  EXPECT_EQ(precis(coding("encode", "{\"text\":\"b\"}\n{")).status, 1);
  EXPECT_EQ(text_of(file("out")), before);
}

TEST_F(DataCommands, LabelsAndWinsOfSamples) {
  std::string samples;
  for (const auto& row : read_rows(file("data/train.jsonl"))) {
    const std::string summary = row["summary"];
    const std::string worse = summary.substr(0, summary.find('.') + 1) + " I do not know.";
    int index = 0;
    for (const std::string& text : {summary, worse}) {
      samples +=
          nlohmann::json{
              {"id", row["id"]}, {"index", index++}, {"response", " " + text}, {"finish", "eos"}}
              .dump() +
          "\n";
    }
  }
  overwrite(file("samples"), samples);
  const Words simulate = {"label",
                          "simulate",
                          "--input",
                          file("data/train.jsonl"),
                          "--samples",
                          file("samples"),
                          "--output",
                          file("comparisons"),
                          "--label.reference_share",
                          "0",
                          "--label.temperature",
                          "0"};
  EXPECT_THAT(succeed(simulate), HasSubstr("1.000"));
  for (const auto& row : read_rows(file("comparisons"))) {
    const std::size_t choice = row["choice"];
    EXPECT_THAT(row["summaries"][1 - choice]["text"].get<std::string>(), HasSubstr("do not know"));
  }
  // Half of the samples are the references themselves, the others are worse.
  succeed({"evaluate", "win", "--input", file("data/train.jsonl"), "--a", file("samples"), "--json",
           file("win.json")});
  EXPECT_EQ(nlohmann::json::parse(text_of(file("win.json")))["win_rate"], 0.25);
  refuse(1, "in:1", {"evaluate", "win", "--input", file("data/train.jsonl"), "--a", [&] {
                       overwrite(file("in"), "{\"id\":\"x\"}\n");
                       return file("in");
                     }()});
}

TEST_F(DataCommands, InspectShowsVerifiesAndCompares) {
  const auto write = [&](const std::string& name, float last) {
    StateWriter writer(file(name), model_format);
    writer.text("config", "{\"kind\":\"language\",\"layers\":3}");
    const std::vector<float> weight{1.0F, 12345.678F, last};
    writer.tensor("weights/head/weight", view_of(weight));
    writer.commit();
  };
  write("a.h5", 2);
  write("b.h5", 2);
  write("c.h5", 3);
  EXPECT_THAT(succeed({"inspect", file("a.h5")}),
              AllOf(HasSubstr("layers"), HasSubstr("weights/head/weight"), HasSubstr("(3)"),
                    HasSubstr("content digest")));
  succeed({"inspect", file("a.h5"), "--verify"});
  succeed({"inspect", file("a.h5"), "--diff", file("b.h5")});
  const Outcome differ = precis({"inspect", file("a.h5"), "--diff", file("c.h5")});
  EXPECT_EQ(differ.status, 1);
  EXPECT_THAT(differ.output, HasSubstr("weights/head/weight: the data differ in 1 of 3"));

  flip_bit_at(file("b.h5"), bytes_of(12345.678F));
  refuse(1, "b.h5, dataset weights/head/weight", {"inspect", file("b.h5"), "--verify"});
  EXPECT_EQ(precis({"inspect", file("a.h5"), "--diff", file("b.h5")}).status, 1);
  overwrite(file("c.h5"), text_of(file("a.h5")).substr(0, 500));
  refuse(1, "c.h5 is damaged", {"inspect", file("c.h5"), "--verify"});
  refuse(1, "not an HDF5 file", {"inspect", file("tokenizer.json")});
  refuse(2, "--file", {"inspect"});
}

}  // namespace
}  // namespace precis::test
