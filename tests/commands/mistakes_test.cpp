// Mistakes that people make on the command line and with their files, and what they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "io/file_damage.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

const Fixture& f() {
  static const Fixture fixture;
  return fixture;
}

/// The command fails with one message that holds all of these parts.
void refuse(int status, const Words& parts, Words words) {
  words.insert(words.begin(), PRECIS_PROGRAM);
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.status, status) << outcome.output;
  expect_one_message(outcome);
  for (const std::string& part : parts) {
    EXPECT_THAT(outcome.output, HasSubstr(part));
  }
}

Words with_output(Words words) {
  words.insert(words.end(), {"--output", f() / "out"});
  return words;
}

std::string quoted(const Words& words) {
  std::string line;
  for (const std::string& word : words) {
    line += "'" + word + "' ";
  }
  return line;
}

Words score_of(const std::string& model, const std::string& input) {
  return with_output({"score", "--model", model, "--input", input, "--log.level", "warning"});
}

TEST(Mistakes, AStreamWithoutRowsIsAnError) {
  const std::string policy = f() / "policy.h5";
  const std::string in = "/dev/stdin";
  const std::vector<Words> commands = {
      score_of(policy, in),
      with_output({"sample", "--model", policy, "--input", in, "--log.level", "warning"}),
      with_output({"encode", "--tokenizer", policy, "--input", in}),
      with_output({"decode", "--tokenizer", policy, "--input", in}),
      with_output({"evaluate", "rouge", "--input", in}),
      with_output({"evaluate", "reward", "--model", f() / "reward.h5", "--input", in, "--log.level",
                   "warning"}),
      {"evaluate", "axes", "--input", in},
      {"label", "audit", "--input", in},
      with_output({"label", "export", "--input", in}),
      with_output({"label", "simulate", "--pairs", in}),
      {"sft", "--model", policy, "--data.train", in, "--run", f() / "run", "--log.level",
       "warning"},
      {"ppo", "--policy", policy, "--reward", f() / "reward.h5", "--data.prompts", in, "--run",
       f() / "run", "--train.steps", "1", "--log.level", "warning"}};
  for (const Words& command : commands) {
    const Outcome outcome =
        shell("true | timeout 60 " + quoted({PRECIS_PROGRAM}) + quoted(command));
    EXPECT_EQ(outcome.status, 1) << quoted(command) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("/dev/stdin holds no rows")) << quoted(command);
    EXPECT_FALSE(std::filesystem::exists(f() / "out")) << quoted(command);
  }
  // The ranks get what rank 0 reads.
  for (const std::string ranks : {"2", "3"}) {
    const Outcome outcome = shell("true | timeout 60 " +
                                  quoted({PRECIS_MPIEXEC, "--oversubscribe", "--bind-to", "none",
                                          "-n", ranks, PRECIS_PROGRAM}) +
                                  quoted(score_of(policy, in)));
    EXPECT_EQ(outcome.status, 1) << outcome.output;
    EXPECT_EQ(count_of(outcome.output, "/dev/stdin holds no rows"), 1) << outcome.output;
  }
}

TEST(Mistakes, AnEmptyFileIsTakenWhereItIsPromised) {
  overwrite(f() / "empty.jsonl", "");
  const std::string empty = f() / "empty.jsonl";
  Words words = score_of(f() / "policy.h5", empty);
  words.insert(words.begin(), PRECIS_PROGRAM);
  EXPECT_EQ(run(words).status, 0);
  EXPECT_EQ(text_of(f() / "out"), "");
  const std::string by_stdin = quoted({PRECIS_PROGRAM}) +
                               quoted(score_of(f() / "policy.h5", "/dev/stdin")) + " < '" + empty +
                               "'";
  EXPECT_EQ(shell(by_stdin).status, 0);
  std::filesystem::remove(f() / "out");
  refuse(1, {"empty.jsonl holds no rows."}, with_output({"evaluate", "rouge", "--input", empty}));
  EXPECT_FALSE(std::filesystem::exists(f() / "out"));
}

TEST(Mistakes, OtherFormatsAreNamedWithAWayToJsonLines) {
  const auto file = [](const std::string& name, const std::string& text) {
    overwrite(f() / name, text);
    return (f() / name).string();
  };
  const std::string policy = f() / "policy.h5";
  const std::string table = file("rows.csv", "prompt,response\na,b\n");
  refuse(1, {"rows.csv: this is a table", "pandas.read_csv('" + table + "').to_json"},
         score_of(policy, table));
  const std::string tabs = file("rows.tsv", "prompt\tresponse\na\tb\n");
  refuse(1, {"read_csv('" + tabs + "', sep='\\t')"}, score_of(policy, tabs));
  const std::string parquet = file("rows.parquet", "PAR1\x15\x04 \xff PAR1");
  refuse(1, {"this is a Parquet file", "read_parquet('" + parquet + "')"},
         score_of(policy, parquet));
  for (const char* text :
       {"[{\"prompt\": \"a\"}, {\"prompt\": \"b\"}]\n", "[\n  {\"prompt\": 1}\n]"}) {
    const std::string array = file("rows.json", text);
    refuse(1, {"this is one JSON array", "jq -c '.[]' '" + array + "'"}, score_of(policy, array));
  }
  const std::string object = file("rows.json", "{\n  \"prompt\": \"a\"\n}\n");
  refuse(1, {"objects over several lines", "jq -c '.' '" + object + "'"}, score_of(policy, object));
  // A bad row is still told with its line.
  refuse(1, {"rows.json:1: "}, score_of(policy, file("rows.json", "[1, 2]\n")));
  refuse(1, {"rows.json:1: not JSON"}, score_of(policy, file("rows.json", "{\"prompt\": \n")));
}

TEST(Mistakes, NamesOfTheHubAreToldToBeDownloaded) {
  refuse(1, {"`hf download gpt2 --local-dir gpt2`", "`precis import --from gpt2 --to gpt2.h5`"},
         score_of("gpt2", f() / "prompts.jsonl"));
  refuse(1, {"`hf download EleutherAI/pythia-70m --local-dir pythia-70m`", "--from pythia-70m."},
         {"import", "--from", "EleutherAI/pythia-70m", "--to", f() / "none.h5"});
  const Outcome file =
      run({PRECIS_PROGRAM, "import", "--from", f() / "none", "--to", f() / "n.h5"});
  EXPECT_THAT(file.output, AllOf(HasSubstr("does not exist"), Not(HasSubstr("hf download"))));
}

TEST(Mistakes, WhatOtherProgramsCallThingsPointsToWhatIsHere) {
  refuse(2, {"Did you mean --model?"}, {"reward", "--reward_model", "x"});
  refuse(2, {"Did you mean sft?", "`precis reward` and `precis ppo` train as well"}, {"trian"});
  refuse(2, {"write --train.learning_rate 1e-5."}, {"sft", "train.lr=1e-5"});
  refuse(2, {"b.jsonl is not a deck", "rows of several files may come by `cat`"},
         {"score", "--input", "a.jsonl", "b.jsonl"});
  refuse(2, {"--input is -", "/dev/stdin"}, {"score", "--input", "-"});
}

TEST(Mistakes, ThreadsAreThoseOfTheEnvironmentWhereTheKeyIsNotGiven) {
  const auto sample = [](const std::string& environment, const Words& more) {
    return shell(environment + " " +
                 quoted({PRECIS_PROGRAM, "sample", "--model", f() / "policy.h5", "--prompt", "a",
                         "--sampling.max_new_tokens", "1"}) +
                 quoted(more));
  };
  EXPECT_THAT(sample("OMP_NUM_THREADS=1", {}).output, HasSubstr("1 thread each"));
  EXPECT_THAT(sample("OMP_NUM_THREADS=2,1", {}).output, HasSubstr("2 threads each"));
  EXPECT_THAT(sample("OMP_NUM_THREADS=1", {"--threads", "2"}).output,
              AllOf(HasSubstr("2 threads each"), Not(HasSubstr("OMP_NUM_THREADS"))));
  for (const std::string wrong : {"many", "0", "-1", "1000000"}) {
    const Outcome outcome = sample("OMP_NUM_THREADS=" + wrong, {});
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("OMP_NUM_THREADS is "), HasSubstr("--threads")));
  }
}

}  // namespace
}  // namespace precis::test
