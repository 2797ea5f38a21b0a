// The commands that evaluate files without MPI, as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/file_damage.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

class EvaluateCommands : public testing::Test {
 protected:
  /// Twenty posts, and for each four samples that say more and more of the reference summary.
  void SetUp() override {
    succeed({"synthesize", "--output", file("data"), "--posts", "20", "--seed", "3"});
    int line = 0;
    for (const auto& row : read_rows(file("data/train.jsonl"))) {
      rows_.push_back(row);
      const std::string summary = row["summary"];
      for (std::size_t index = 0; index < 4; ++index) {
        const bool whole = index == 3;
        add(samples_,
            {{"id", row["id"]},
             {"index", index},
             {"response", " " + summary.substr(0, whole ? summary.size() : 12 * (index + 1))},
             {"finish", whole ? "eos" : "length"}});
        // The reward prefers the second sample, in half of the rows tied with the last.
        const double reward =
            index == 1 || (whole && line % 2 == 0) ? 2 : 0.5 * static_cast<double>(index);
        add(rewards_, {{"id", row["id"]}, {"reward", reward}});
      }
      ++line;
    }
    write("samples", samples_);
    write("rewards", rewards_);
  }

  static void add(std::string& text, const Json& row) { text += row.dump() + "\n"; }
  void write(const std::string& name, const std::string& content) const {
    overwrite(file(name), content);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] Json json(const std::string& name) const {
    return Json::parse(text_of(file(name)));
  }

  static std::string succeed(Words words) {
    words.insert(words.begin(), PRECIS_PROGRAM);
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  }

  /// The command, with an output beside its words, ends with this status and message and leaves
  /// nothing under the output's name.
  void refuse(int status, const std::string& message, Words words,
              const std::string& output = "--json") const {
    words.insert(words.begin(), PRECIS_PROGRAM);
    words.insert(words.end(), {output, file("out")});
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, status) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(testing::StartsWith("precis: "), HasSubstr(message)));
    EXPECT_FALSE(std::filesystem::exists(file("out")));
    EXPECT_FALSE(std::filesystem::exists(file("out.partial")));
  }

  TemporaryFolder folder_;
  std::vector<Json> rows_;
  std::string samples_;
  std::string rewards_;
};

TEST_F(EvaluateCommands, RougeWritesARowForEachRow) {
  write("in",
        "{\"prediction\":\"testing two\",\"reference\":\"testing one two\"}\r\n"
        "{\"prediction\":\"\",\"reference\":\"tests\",\"more\":1}\n");
  const std::string said = succeed({"evaluate", "rouge", "--input", file("in"), "--output",
                                    file("out"), "--json", file("means")});
  EXPECT_THAT(said, AllOf(HasSubstr("2 rows"), HasSubstr("rougeLsum")));
  const auto rows = read_rows(file("out"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(
      rows[0].dump(),
      R"({"rouge1":{"f":0.8,"p":1.0,"r":0.6666666666666666},)"
      R"("rouge2":{"f":0.0,"p":0.0,"r":0.0},"rougeL":{"f":0.8,"p":1.0,"r":0.6666666666666666},)"
      R"("rougeLsum":{"f":0.8,"p":1.0,"r":0.6666666666666666}})");
  EXPECT_EQ(rows[1]["rouge1"]["f"], 0);
  EXPECT_EQ(json("means")["rouge1"]["p"]["mean"], 0.5);

  write("in", "{\"prediction\":\"test\",\"reference\":\"testing\"}\n");
  for (const char* stemmer : {"true", "false"}) {
    succeed({"evaluate", "rouge", "--input", file("in"), "--output", file("out"), "--rouge.stemmer",
             stemmer});
    EXPECT_EQ(read_rows(file("out"))[0]["rouge1"]["f"], std::string(stemmer) == "true" ? 1 : 0);
  }
}

TEST_F(EvaluateCommands, RougeNamesBadRowsAndEmptyFiles) {
  write("in", "{\"prediction\":\"a\",\"reference\":\"a\"}\n{\"prediction\":\"a\"}\n");
  refuse(1, "in:2: the field `reference` is missing", {"evaluate", "rouge", "--input", file("in")});
  EXPECT_THAT(succeed({"evaluate", "rouge", "--input", file("in"), "--output", file("rows"),
                       "--data.skip_bad"}),
              HasSubstr("1 row could not be read"));
  EXPECT_EQ(lines_of(file("rows")), 1);
  write("in", "");
  refuse(1, "in holds no rows.", {"evaluate", "rouge", "--input", file("in")});
  write("in", "{\"prediction\":\"a\"}\n");
  refuse(1, "in: no row could be read.",
         {"evaluate", "rouge", "--input", file("in"), "--data.skip_bad"});
}

TEST_F(EvaluateCommands, RougeOfSamplesIsAgainstTheirRowsSummaries) {
  const std::vector<std::string> words = {
      "evaluate", "rouge", "--input", file("data/train.jsonl"), "--samples", file("samples")};
  auto written = words;
  written.insert(written.end(), {"--output", file("rows"), "--json", file("means")});
  EXPECT_THAT(succeed(written), HasSubstr(fmt::format("{} samples", 4 * rows_.size())));
  const auto rows = read_rows(file("rows"));
  ASSERT_EQ(rows.size(), 4 * rows_.size());
  for (const auto& row : rows) {
    const int index = row["index"];
    if (index == 0 || index == 3) {  // the first words of the summary, and all
      EXPECT_EQ(row["rouge1"]["r"] == 1, index == 3) << row.dump();
    }
  }
  EXPECT_LT(json("means")["rouge1"]["r"]["mean"], 1);

  auto skipping = words;
  skipping.emplace_back("--data.skip_bad");
  refuse(2, "data.skip_bad is for rows without samples", skipping);
  auto other = words;
  other[3] = file("data/valid.jsonl");
  refuse(1, "no row of", other);
  Json without = rows_.front();
  without["summary"] = "";
  write("without", without.dump() + "\n");
  other[3] = file("without");
  other[5] = file("few");
  write("few", samples_.substr(0, samples_.find('\n') + 1));
  refuse(1, "has no summary to compare samples with", other);
}

TEST_F(EvaluateCommands, CopyingIsOfEachSample) {
  succeed({"evaluate", "copying", "--input", file("data/train.jsonl"), "--samples", file("samples"),
           "--output", file("rows"), "--json", file("means")});
  EXPECT_EQ(lines_of(file("rows")), static_cast<int>(4 * rows_.size()));
  EXPECT_TRUE(json("means").contains("references"));
  refuse(1, "there are no samples of the rows",
         {"evaluate", "copying", "--input", file("data/train.jsonl"), "--samples", [&] {
            write("few", samples_.substr(0, samples_.find('\n') + 1));
            return file("few");
          }()});
}

TEST_F(EvaluateCommands, TablesKeepTheTemperatureOfTheirSamples) {
  const auto table = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {
        "evaluate",  "table",         "--input", file("data/train.jsonl"),
        "--samples", file("samples"), "--names", "SFT"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  EXPECT_THAT(succeed(table({"--json", file("table")})),
              HasSubstr("4 samples per policy and post, judged"));
  EXPECT_FALSE(json("table").contains("temperature"));
  EXPECT_THAT(succeed(table({"--json", file("table"), "--temperature", "0.7"})),
              HasSubstr("4 samples per policy and post at temperature 0.7, judged"));
  EXPECT_EQ(json("table")["temperature"], 0.7);
  EXPECT_EQ(json("table")["policies"][1]["name"], "SFT");
  succeed({"evaluate", "best-of-n", "--samples", file("samples"), "--rewards", file("rewards"),
           "--temperature", "1", "--json", file("table")});
  EXPECT_EQ(json("table")["temperature"], 1);
  for (const std::string wrong : {"hot", "-1", "1x"}) {
    refuse(2, "--temperature is '" + wrong + "'; expected a number of at least 0",
           table({"--temperature", wrong}), "--json");
  }
}

TEST_F(EvaluateCommands, TheBestOfNAreSamplesToJudge) {
  const std::string said =
      succeed({"evaluate", "best-of-n", "--samples", file("samples"), "--rewards", file("rewards"),
               "--input", file("data/train.jsonl"), "--best", file("best"), "--best_of.n", "4",
               "--json", file("table")});
  EXPECT_THAT(said, HasSubstr("The best of all 4 of each row"));
  const auto table = json("table")["best_of"];
  ASSERT_EQ(table.size(), 3U);
  EXPECT_EQ(table[2]["reward"]["mean"], 2);
  const auto best = read_rows(file("best"));
  ASSERT_EQ(best.size(), rows_.size());
  for (std::size_t i = 0; i < best.size(); ++i) {
    EXPECT_EQ(best[i]["id"], rows_[i]["id"]);
    EXPECT_EQ(best[i]["index"], 0);
    EXPECT_EQ(best[i]["finish"], "length");  // the second sample, the first of two that tie
  }
  succeed({"evaluate", "win", "--input", file("data/train.jsonl"), "--a", file("best"), "--json",
           file("win")});
  EXPECT_EQ(json("win")["comparisons"], rows_.size());

  EXPECT_THAT(succeed({"evaluate", "best-of-n", "--samples", file("samples"), "--rewards",
                       file("rewards"), "--best", file("best_of_all")}),
              HasSubstr("The best of all 4"));
  EXPECT_EQ(text_of(file("best_of_all")), text_of(file("best")));
  EXPECT_THAT(succeed({"evaluate", "best-of-n", "--samples", file("samples"), "--rewards",
                       file("rewards"), "--best", file("best_of_one"), "--best_of.n", "1"}),
              HasSubstr("The best of the first 1"));
  EXPECT_NE(text_of(file("best_of_one")), text_of(file("best")));

  // Ties are averaged: of four, in half of the rows the last sample is chosen half of the time.
  double gold = 0;
  for (const char* index : {"1", "3"}) {
    std::string of_index;
    for (const auto& row : read_rows(file("samples"))) {
      if (row["index"].dump() == index) {
        Json first = row;
        first["index"] = 0;
        add(of_index, first);
      }
    }
    write("one", of_index);
    succeed({"evaluate", "win", "--input", file("data/train.jsonl"), "--a", file("one"), "--json",
             file("win")});
    gold += json("win")["win_rate"].get<double>() * (*index == '1' ? 0.75 : 0.25);
  }
  EXPECT_NEAR(table[2]["win_rate_references"]["rate"].get<double>(), gold, 1e-12);

  refuse(2, "best_of.n is 5",
         {"evaluate", "best-of-n", "--samples", file("samples"), "--rewards", file("rewards"),
          "--best_of.n", "5"},
         "--best");
  refuse(1, "line by line",
         {"evaluate", "best-of-n", "--samples", file("samples"), "--rewards", [&] {
            write("few", rewards_.substr(0, rewards_.find('\n') + 1));
            return file("few");
          }()});
}

TEST_F(EvaluateCommands, ARewardModelJudgesWins) {
  std::string references;
  for (const Json& row : rows_) {
    add(references, {{"id", row["id"]}, {"reward", 1.5}});
  }
  write("references", references);
  const Words command = {"evaluate",    "win",
                         "--input",     file("data/train.jsonl"),
                         "--a",         file("samples"),
                         "--rewards.a", file("rewards"),
                         "--rewards.b", file("references")};
  Words words = command;
  words.insert(words.end(), {"--json", file("win"), "--output", file("rows")});
  EXPECT_THAT(succeed(words), HasSubstr("judged by a reward model"));
  // Rewards of 0, 2, 1 and (1.5 or 2) against 1.5.
  const Json win = json("win");
  const auto count = static_cast<std::int64_t>(rows_.size());
  EXPECT_EQ(win["wins"], count + (count + 1) / 2);
  EXPECT_EQ(win["ties"], count / 2);
  EXPECT_EQ(win["losses"], 2 * count);
  EXPECT_TRUE(win.contains("equal_length"));
  EXPECT_EQ(read_rows(file("rows"))[1]["winner"], "a");

  refuse(2, "--rewards.b is missing", Words(command.begin(), command.end() - 2));
  refuse(2, "--input is missing", {"evaluate", "win", "--a", file("samples")});
}

TEST_F(EvaluateCommands, PeopleJudgeWins) {
  std::string comparisons;
  for (int i = 0; i < 10; ++i) {
    const bool swapped = i % 2 == 1;
    Json summaries = {{{"text", " one two"}, {"policy", "ppo"}},
                      {{"text", i < 5 ? " three" : " three four five"}, {"policy", "sft"}}};
    const int choice = i % 5 < 3 ? 0 : 1;  // ppo wins six
    if (swapped) {
      std::swap(summaries[0], summaries[1]);
    }
    add(comparisons, {{"info",
                       {{"id", std::to_string(i)},
                        {"subreddit", "s"},
                        {"title", "t"},
                        {"post", "p" + std::to_string(i)}}},
                      {"summaries", summaries},
                      {"choice", swapped ? 1 - choice : choice},
                      {"worker", "w"}});
  }
  write("comparisons", comparisons);
  EXPECT_THAT(succeed({"evaluate", "win", "--judgements", file("comparisons"), "--policies",
                       "ppo,sft", "--json", file("win")}),
              HasSubstr("10 judgements"));
  EXPECT_EQ(json("win")["wins"], 6);
  EXPECT_EQ(json("win")["win_rate"], 0.6);
  EXPECT_NEAR(json("win")["equal_length"]["rate"].get<double>(), 0.6, 1e-9);  // length says nothing
  // The same file four times over is four times the same judgements.
  write("copies", comparisons + comparisons + comparisons + comparisons);
  EXPECT_THAT(succeed({"evaluate", "win", "--judgements", file("copies"), "--policies", "ppo,sft",
                       "--json", file("again")}),
              AllOf(HasSubstr("30 duplicate judgements (same pair"), HasSubstr("10 judgements")));
  EXPECT_EQ(text_of(file("again")), text_of(file("win")));
  const Words command = {"evaluate", "win", "--judgements", file("comparisons"), "--policies"};
  const auto with = [&](const Words& more) {
    Words words = command;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  refuse(1, "found: ppo-sft (10)", with({"ppo,ref"}));
  refuse(2, "need two names", with({"ppo"}));
  refuse(2, "judgements was given beside", with({"ppo,sft", "--a", file("samples")}));
  refuse(2, "without judgements", {"evaluate", "win", "--policies", "a,b"});
}

/// Every interval of every command that takes samples, with each sample once and 16 times.
TEST_F(EvaluateCommands, SixteenEqualSamplesOfAPostAreWorthOne) {
  std::string references;
  for (const Json& row : rows_) {
    add(references, {{"id", row["id"]}, {"reward", 0.7}});
  }
  write("references", references);
  const auto tables = [&](const std::string& name, int copies) {
    std::string samples, rewards, scores;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string summary = rows_[i]["summary"];
      for (int copy = 0; copy < copies; ++copy) {
        const bool whole = i % 3 == 0;
        add(samples, {{"id", rows_[i]["id"]},
                      {"index", copy},
                      {"response", " " + (whole ? summary : summary.substr(0, 10 + 2 * i))},
                      {"finish", whole ? "eos" : "length"},
                      {"logprobs", {-0.1 * static_cast<double>(i), -0.7}}});
        add(rewards, {{"id", rows_[i]["id"]}, {"reward", 0.1 * static_cast<double>(i % 13)}});
        add(scores, {{"id", rows_[i]["id"]}, {"logprob", -0.3 * static_cast<double>(i)}});
      }
    }
    write(name, samples);
    write(name + "_rewards", rewards);
    write(name + "_scores", scores);
    const std::string rows = file("data/train.jsonl");
    std::vector<Json> found;
    const auto judge = [&](Words words) {
      words.insert(words.begin(), "evaluate");
      words.insert(words.end(), {"--json", file("out")});
      succeed(words);
      found.push_back(json("out"));
    };
    judge({"win", "--input", rows, "--a", file(name)});
    judge({"win", "--input", rows, "--a", file(name), "--rewards.a", file(name + "_rewards"),
           "--rewards.b", file("references")});
    for (Json& win : found) {
      for (const char* count : {"comparisons", "wins", "ties", "losses"}) {
        win.erase(count);
      }
    }
    judge({"table", "--input", rows, "--samples", file(name) + "," + file(name), "--names", "a,b",
           "--scores", file(name + "_scores")});
    found.back().erase("samples");
    judge({"copying", "--input", rows, "--samples", file(name)});
    judge({"rouge", "--input", rows, "--samples", file(name)});
    found.back().erase("rows");
    judge({"best-of-n", "--input", rows, "--samples", file(name), "--rewards",
           file(name + "_rewards")});
    found.back() = found.back()["best_of"].front();  // best of one
    succeed({"evaluate", "overoptimization", "--input", rows, "--samples",
             file(name) + "," + file(name), "--rewards",
             file(name + "_rewards") + "," + file(name + "_rewards"), "--scores",
             file(name + "_scores"), "--names", "a,b", "--points", file("points")});
    for (const Json& point : read_rows(file("points"))) {
      found.push_back(point);
    }
    return found;
  };
  const std::vector<Json> once = tables("once", 1);
  const std::vector<Json> many = tables("many", 16);
  ASSERT_EQ(once.size(), many.size());
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].dump(), many[i].dump());
  }
}

// Rows of ROUGE may be of different posts with equal short summaries: each counts in the means.
TEST_F(EvaluateCommands, CopiesOfAllRowsOfRougeAndOfAxesChangeNoInterval) {
  std::string pairs, axes;
  for (int i = 0; i < 8; ++i) {
    add(pairs, {{"prediction", "a b " + std::to_string(i)}, {"reference", i < 5 ? "a b c" : "a"}});
    add(axes, {{"info", {{"post", "p" + std::to_string(i / 2)}}},
               {"summary", {{"text", "a"}, {"policy", "ppo"}, {"axes", {{"overall", 1 + i % 7}}}}},
               {"worker", i % 2 == 0 ? "v" : "w"}});
  }
  for (const auto& [command, rows] : {std::pair("rouge", pairs), std::pair("axes", axes)}) {
    std::string many;
    for (int copy = 0; copy < 16; ++copy) {
      many += rows;
    }
    write("once", rows);
    write("many", many);
    const std::string said =
        succeed({"evaluate", command, "--input", file("once"), "--json", file("one")});
    EXPECT_THAT(said, HasSubstr(" to "));
    EXPECT_THAT(succeed({"evaluate", command, "--input", file("many"), "--json", file("other")}),
                HasSubstr(std::string(command) == "rouge" ? "128 rows" : "120 duplicate"));
    Json one = json("one");
    Json other = json("other");
    one.erase("rows");
    other.erase("rows");
    EXPECT_EQ(one.dump(), other.dump());
  }
  write("in",
        "{\"prediction\":\"a\",\"reference\":\"a\"}\n{\"prediction\":\"a\",\"reference\":\"a\"}\n"
        "{\"prediction\":\"b\",\"reference\":\"c\"}\n");
  succeed({"evaluate", "rouge", "--input", file("in"), "--json", file("means")});
  EXPECT_NEAR(json("means")["rouge1"]["f"]["mean"].get<double>(), 2.0 / 3, 1e-12);
}

TEST_F(EvaluateCommands, TransferStandsBesideTheLead) {
  write("articles",
        Json{{"article", "One is. Two is. Three is. Four is."}, {"highlights", "four is"}}.dump() +
            "\n");
  write("news",
        Json{{"id", "0"}, {"index", 0}, {"response", " Four is"}, {"finish", "eos"}}.dump() + "\n");
  EXPECT_THAT(succeed({"evaluate", "transfer", "--input", file("articles"), "--samples",
                       file("news"), "--json", file("table"), "--output", file("rows")}),
              HasSubstr("lead-3"));
  EXPECT_EQ(json("table")["samples"]["rouge"]["rouge2"]["f"]["mean"], 1);
  EXPECT_EQ(read_rows(file("rows"))[0]["lead-3"]["words"], 6);
  refuse(
      1, "this is a TL;DR row",
      {"evaluate", "transfer", "--input", file("data/train.jsonl"), "--samples", file("samples")});
}

TEST_F(EvaluateCommands, AxesAreSummarized) {
  write(
      "axes",
      R"({"summary":{"text":"a","policy":"ppo","axes":{"overall":7}},"worker":"w","split":"test"})"
      "\n"
      R"({"summary":{"text":"a","policy":"ppo","axes":{"overall":4}},"worker":"v","split":"other"})"
      "\n");
  EXPECT_THAT(succeed({"evaluate", "axes", "--input", file("axes"), "--json", file("table")}),
              AllOf(HasSubstr("5.50"), HasSubstr("worker")));
  EXPECT_EQ(json("table")["by_policy"]["ppo"]["overall"]["share_of_7"]["rate"], 0.5);
  succeed(
      {"evaluate", "axes", "--input", file("axes"), "--json", file("table"), "--split", "test"});
  EXPECT_EQ(json("table")["by_policy"]["ppo"]["overall"]["ratings"], 1);
  refuse(1, "no axis judgements of split none",
         {"evaluate", "axes", "--input", file("axes"), "--split", "none"});
  refuse(1, "the field `summary` is missing", {"evaluate", "axes", "--input", file("rewards")});
}

}  // namespace
}  // namespace precis::test
