// `label pairs` and `label simulate` as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "run/ppo_run.hpp"
#include "support/temporary_folder.hpp"

namespace precis::test {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

class LabelCommands : public testing::Test {
 protected:
  void SetUp() override {
    succeed({"synthesize", "--output", file("data"), "--posts", "200", "--seed", "3"});
    // Three samples a post: the reference, its first sentence, and that with words that mean
    // nothing; and one of another policy.
    std::string sft;
    std::string ppo;
    for (const auto& row : read_rows(file("data/train.jsonl"))) {
      const std::string summary = row["summary"];
      const std::string short_one = summary.substr(0, summary.find('.') + 1);
      int index = 0;
      for (const std::string& text : {summary, short_one, short_one + " I do not know."}) {
        sft += sample(row["id"], index++, text);
      }
      ppo += sample(row["id"], 0, short_one + " Should I call them?");
    }
    (void)folder_.file("sft", sft);
    (void)folder_.file("ppo", ppo);
  }

  static std::string sample(const std::string& id, int index, const std::string& text) {
    return nlohmann::json{{"id", id}, {"index", index}, {"response", " " + text}, {"finish", "eos"}}
               .dump() +
           "\n";
  }

  [[nodiscard]] std::string file(const std::string& name) const { return folder_ / name; }

  static Outcome precis(Words words) {
    words.insert(words.begin(), PRECIS_PROGRAM);
    return run(words);
  }

  static std::string succeed(const Words& words) {
    const Outcome outcome = precis(words);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  }

  /// The words of a command that draws pairs from both files of samples.
  [[nodiscard]] Words drawing(const std::string& command, const std::string& output,
                              const Words& more = {}) const {
    Words words = {"label",
                   command,
                   "--input",
                   file("data/train.jsonl"),
                   "--samples",
                   file("sft") + "," + file("ppo"),
                   "--label.policies",
                   "sft,ppo",
                   "--output",
                   file(output)};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// The command ends with this status and one message, and leaves nothing under the name `out`.
  void refuse(int status, const std::string& message, const Words& words) const {
    const Outcome outcome = precis(words);
    EXPECT_EQ(outcome.status, status) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(message));
    expect_one_message(outcome);
    EXPECT_FALSE(std::filesystem::exists(file("out")));
    EXPECT_FALSE(std::filesystem::exists(file("out.partial")));
  }

  TemporaryFolder folder_;
};

TEST_F(LabelCommands, ASeedKeepsItsMeaning) {
  succeed({"label", "simulate", "--input", file("data/train.jsonl"), "--samples", file("sft"),
           "--output", file("out"), "--label.pairs", "40", "--label.contrast_share", "0.25"});
  std::string digits;
  for (const auto& row : read_rows(file("out"))) {
    digits += std::to_string(row["extra"]["confidence"].get<int>());
    EXPECT_EQ(row["worker"], "gold-0.15");
    EXPECT_EQ(row["batch"], "simulated");
  }
  EXPECT_EQ(digits,
            "1867229291138179999998191199131191679999");  // since a judgement belongs to its pair
}

TEST_F(LabelCommands, PairsAreJudgedAsIfTheyHadBeenDrawnAtOnce) {
  const Words keys = {"--label.mix",
                      "ref/sft=1,sft/sft=2,ppo/sft=2",
                      "--label.pairs",
                      "300",
                      "--label.valid_share",
                      "0.3",
                      "--label.batch",
                      "week",
                      "--label.batches",
                      "3",
                      "--label.contrast_share",
                      "0.2",
                      "--label.seed",
                      "9"};
  EXPECT_THAT(succeed(drawing("pairs", "pairs", keys)), HasSubstr("ppo-sft"));
  Words direct = drawing("simulate", "direct", keys);
  const Words labelers = {"--label.workers", "ann,bob:length:drift,cal:random", "--label.per_pair",
                          "2"};
  direct.insert(direct.end(), labelers.begin(), labelers.end());
  succeed(direct);
  Words judging = {"label",    "simulate",     "--pairs",      file("pairs"),
                   "--output", file("judged"), "--label.seed", "9"};
  judging.insert(judging.end(), labelers.begin(), labelers.end());
  const std::string table = succeed(judging);
  EXPECT_THAT(table, testing::AllOf(HasSubstr("ann"), HasSubstr("bob"), HasSubstr("cal")));
  EXPECT_EQ(text_of(file("direct")), text_of(file("judged")));

  const Rows pairs = read_rows(file("pairs"));
  const Rows judged = read_rows(file("judged"));
  ASSERT_EQ(pairs.size(), 300U);
  ASSERT_EQ(judged.size(), 600U);
  std::map<std::string, int> judgements;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    EXPECT_FALSE(pairs[i / 2].contains("choice"));
    for (const char* field : {"info", "summaries", "batch", "split"}) {
      EXPECT_EQ(judged[i][field], pairs[i / 2][field]);
    }
    ++judgements[judged[i]["worker"]];
  }
  EXPECT_EQ(judgements, (std::map<std::string, int>{{"ann", 200}, {"bob", 200}, {"cal", 200}}));
  EXPECT_EQ(pairs[0]["batch"], "week-1");
  EXPECT_EQ(pairs[299]["batch"], "week-3");
}

TEST_F(LabelCommands, ALabelersJudgementsDoNotDependOnTheOthers) {
  succeed(drawing("pairs", "pairs"));
  const auto of_bob = [&](const std::string& workers) {
    succeed({"label", "simulate", "--pairs", file("pairs"), "--output", file("judged"),
             "--label.workers", workers, "--label.per_pair", "2"});
    std::string text;
    for (const auto& row : read_rows(file("judged"))) {
      text += row["worker"] == "bob" ? row.dump() + "\n" : "";
    }
    return text;
  };
  const std::string bob = "bob:drift=0.5:length:temperature=0.4";
  const std::string beside_ann = of_bob("ann," + bob);
  EXPECT_EQ(count_of(beside_ann, "\n"), 180);
  EXPECT_EQ(beside_ann, of_bob(bob + ",eve:adversarial"));
}

TEST_F(LabelCommands, MistakesAreNamed) {
  succeed(drawing("pairs", "pairs"));
  const auto simulate = [&](const Words& more) {
    Words words = {"label", "simulate", "--output", file("out"), "--pairs", file("pairs")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  refuse(2, "Give --input and --samples", {"label", "simulate", "--output", file("out")});
  refuse(2, "--input is missing", {"label", "pairs", "--output", file("out")});
  refuse(2, "--pairs and --label.batches are both given", simulate({"--label.batches", "2"}));
  refuse(2, "label.worker and label.workers",
         simulate({"--label.worker", "a", "--label.workers", "b"}));
  refuse(2, "label.per_pair is 3, but there are 2 labelers",
         simulate({"--label.workers", "a,b", "--label.per_pair", "3"}));
  refuse(2, "label.per_pair is 2, but there is one labeler", simulate({"--label.per_pair", "2"}));
  refuse(2, "'x' is not a trait", simulate({"--label.workers", "a:x"}));
  refuse(2, "label.mix and label.reference_share",
         drawing("pairs", "out", {"--label.mix", "ref/sft=1", "--label.reference_share", "0.5"}));
  refuse(2, "names the policy best, but the known ones are ppo, ref, sft",
         drawing("pairs", "out", {"--label.mix", "ref/best=1"}));
  refuse(2, "label.batches is 1000, but there are only",
         drawing("pairs", "out", {"--label.batches", "1000"}));
  refuse(1, "real:2: the post is not one that `precis synthesize` writes",
         {"label", "simulate", "--output", file("out"), "--pairs", [&] {
            const std::string first = text_of(file("pairs"));
            return folder_
                .file("real", first.substr(0, first.find('\n') + 1) +
                                  R"({"info":{"subreddit":"a","title":"b","post":"Hello."},)"
                                  R"("summaries":[{"text":" a"},{"text":" b"}]})"
                                  "\n")
                .string();
          }()});
  refuse(1, "/dev/null holds no rows",
         {"label", "simulate", "--output", file("out"), "--pairs", "/dev/null"});
  const std::string empty = folder_.file("empty", "").string();
  refuse(1, empty + ": the file has no pairs",
         {"label", "simulate", "--output", file("out"), "--pairs", empty});
}

TEST_F(LabelCommands, RealPostsAreForPeople) {
  const std::string rows = folder_.file(
      "rows", R"({"id":"a","subreddit":"s","title":"t","post":"My café.","summary":"own"})"
              "\n"
              R"({"id":"b","subreddit":"s","title":"t","post":"My <b>car</b>.","summary":"own"})"
              "\n");
  const std::string samples =
      folder_.file("samples", sample("a", 0, "one") + sample("b", 0, "two"));
  succeed({"label", "pairs", "--input", rows, "--samples", samples, "--label.reference_share", "1",
           "--label.valid_share", "0", "--output", file("pairs")});
  std::set<std::string> posts;
  for (const auto& row : read_rows(file("pairs"))) {
    posts.insert(row["info"]["post"]);
    EXPECT_FALSE(row.contains("choice"));
    EXPECT_FALSE(row.contains("worker"));
    EXPECT_EQ(row["batch"], "pairs");
    EXPECT_EQ(row["split"], "train");
  }
  EXPECT_EQ(posts, (std::set<std::string>{"My café.", "My <b>car</b>."}));
  refuse(1, "Real posts need people's comparisons",
         {"label", "simulate", "--input", rows, "--samples", samples, "--label.reference_share",
          "1", "--output", file("out")});
}

}  // namespace
}  // namespace precis::test
