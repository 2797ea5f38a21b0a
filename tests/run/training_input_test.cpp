// Bad input to `sft`, `reward`, `sample` and `score`: one clear message, the right status, nothing
// under a final name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "io/file_damage.hpp"
#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::HasSubstr;

const TrainingFixture& f() { return training_fixture(); }

/// Messages of precis; mpirun adds lines of its own.
int messages_in(const std::string& output) {
  std::istringstream lines(output);
  int messages = 0;
  for (std::string line; std::getline(lines, line);) {
    messages += line.starts_with("precis: ") ? 1 : 0;
  }
  return messages;
}

/// A command that must fail, on one rank and on two.
void refuse(int status, const std::string& message, const Words& words, const Path& absent) {
  for (const int ranks : {1, 2}) {
    const Outcome outcome = run(f().command(words, ranks), 30);
    EXPECT_EQ(outcome.status, status) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(message));
    EXPECT_EQ(messages_in(outcome.output), 1) << outcome.output;
    EXPECT_FALSE(std::filesystem::exists(absent)) << absent;
    EXPECT_FALSE(std::filesystem::exists(absent.string() + ".partial")) << absent;
  }
}

Words words_after_program(Words words, const Words& more = {}) {
  words.erase(words.begin());
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// An `sft` command with some keys replaced.
void refuse_sft(int status, const std::string& message, Words keys) {
  keys.insert(keys.end(), {"--log.level", "warning"});
  refuse(status, message, words_after_program(f().sft("refused", keys)), f() / "refused");
}

TEST(BadInput, KeysOfSft) {
  refuse_sft(2, "mean --train.batch?", {"--train.btach", "3"});
  refuse_sft(2, "mean --train.learning_rate?", {"--lr", "3"});
  refuse_sft(2, "train.batch", {"--train.batch", "many"});
  refuse_sft(2, "train.batch", {"--train.batch", "-1"});
  refuse_sft(2, "train.learning_rate", {"--train.learning_rate", "nan"});
  refuse_sft(2, "tokenizer", {"--tokenizer", ""});
  refuse_sft(2, "model.layers",
             {"--tokenizer", "", "--model", f() / "policy/model.h5", "--model.layers", "3"});
  refuse_sft(2, "model.heads", {"--model.heads", "5"});
  refuse_sft(1, "of host memory for parameters, f32 (",
             {"--model.width", "4194304", "--model.layers", "200"});
  refuse_sft(2, "grid", {"--grid", "dp=3"});
  refuse_sft(2, "data.valid", {"--data.valid", "", "--train.keep", "best"});
  refuse_sft(2, "bf16", {"--precision", "bf16"});
}

TEST(BadInput, FilesOfSft) {
  refuse_sft(1, "absent.json", {"--tokenizer", f() / "absent.json"});
  refuse_sft(1, "absent.jsonl", {"--data.train", f() / "absent.jsonl"});
  refuse_sft(1, "data", {"--data.train", f() / "data"});
  overwrite(f() / "none.jsonl", "");
  refuse_sft(1, "none.jsonl holds no rows.", {"--data.train", f() / "none.jsonl"});
  overwrite(f() / "torn.jsonl", text_of(f() / "data/valid.jsonl").substr(0, 1000));
  refuse_sft(1, "torn.jsonl:", {"--data.train", f() / "torn.jsonl"});
  overwrite(f() / "bytes.jsonl", "{\"subreddit\": \"\xff\"}\n");
  refuse_sft(1, "bytes.jsonl:1", {"--data.train", f() / "bytes.jsonl"});
  overwrite(f() / "fields.jsonl", "{\"subreddit\": \"a\", \"title\": \"b\", \"post\": \"c\"}\n");
  refuse_sft(1, "summary", {"--data.train", f() / "fields.jsonl"});
  refuse_sft(1, "no row is left", {"--model.context", "16"});
}

TEST(BadInput, ModelsOfTheWrongKindOrDamaged) {
  const Words reward_start{"--tokenizer", "", "--model", f() / "reward/model.h5"};
  refuse_sft(1, "reward model", reward_start);
  overwrite(f() / "text.h5", "this is not HDF5");
  refuse_sft(1, "text.h5", {"--tokenizer", "", "--model", f() / "text.h5"});
  overwrite(f() / "short.h5", text_of(f() / "policy/model.h5").substr(0, 5000));
  refuse_sft(1, "short.h5", {"--tokenizer", "", "--model", f() / "short.h5"});

  const Path output = f() / "refused.jsonl";
  const auto sample = [&](const Words& more) {
    Words words{"sample", "--output", output, "--log.level", "warning"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const std::string rows = f() / "data/test.jsonl";
  const std::string policy = f() / "policy/model.h5";
  refuse(1, "reward model", sample({"--model", f() / "reward/model.h5", "--input", rows}), output);
  refuse(2, "model", sample({"--input", rows}), output);
  refuse(2, "max_new_tokens",
         sample({"--model", policy, "--input", rows, "--sampling.max_new_tokens", "256"}), output);
  overwrite(f() / "ids.jsonl", "{\"prompt_ids\": [1, 100000]}\n");
  refuse(1, "ids.jsonl:1", sample({"--model", policy, "--input", f() / "ids.jsonl"}), output);
  std::string long_prompt = "{\"prompt_ids\": [1";
  for (int i = 0; i < 300; ++i) {
    long_prompt += ", 1";
  }
  overwrite(f() / "long.jsonl", long_prompt + "]}\n");
  refuse(1, "long.jsonl:1", sample({"--model", policy, "--input", f() / "long.jsonl"}), output);
  refuse(1, "no_folder",
         {"sample", "--model", policy, "--input", rows, "--output", f() / "no_folder/out.jsonl"},
         f() / "no_folder");
  overwrite(f() / "no_response.jsonl", "{\"prompt\": \"a\"}\n");
  refuse(1, "response",
         {"score", "--model", policy, "--input", f() / "no_response.jsonl", "--output", output},
         output);
}

TEST(BadInput, Reward) {
  const auto refuse_reward = [&](int status, const std::string& message, Words keys) {
    keys.insert(keys.end(), {"--log.level", "warning"});
    refuse(status, message, words_after_program(f().reward("refused_reward", keys)),
           f() / "refused_reward");
  };
  refuse_reward(2, "data.valid_split", {"--data.valid", ""});
  refuse_reward(1, "no comparison is of the split \"nowhere\". There are: \"train\"",
                {"--data.train_split", "nowhere"});
  refuse_reward(1, "info", {"--data.train", f() / "data/train.jsonl"});
}

TEST(BadInput, ARunFolderThatIsAFile) {
  overwrite(f() / "occupied", "a file");
  for (const int ranks : {1, 2}) {
    const Outcome outcome = run(f().sft("occupied", {"--log.level", "warning"}, ranks), 30);
    EXPECT_EQ(outcome.status, 1) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("is a file"));
  }
}

}  // namespace
}  // namespace precis::test
