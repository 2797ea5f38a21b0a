// Run folders without checkpoints that hold something of a run: it is never replaced by less.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/file_damage.hpp"
#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const TrainingFixture& f() { return training_fixture(); }

void expect_refused(const Words& words, const std::string& cause, int status = 2) {
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.status, status) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr(cause), HasSubstr("another run folder")));
}

/// Whether nothing that the run has made changes while `act` runs.
template <class Act>
void expect_untouched(const Path& folder, Act&& act) {
  const std::string model = text_of(folder / "model.h5");
  const std::string metrics = text_of(folder / "metrics.jsonl");
  const std::string deck = text_of(folder / "deck.cfg");
  act();
  EXPECT_EQ(text_of(folder / "model.h5"), model);
  EXPECT_EQ(text_of(folder / "metrics.jsonl"), metrics);
  EXPECT_EQ(text_of(folder / "deck.cfg"), deck);
}

using Command = Words (*)(const std::string& run, const Words& more, int ranks);

Words sft_command(const std::string& run, const Words& more, int ranks) {
  return f().sft(run, more, ranks);
}
Words sft_from_model(const std::string& run, const Words& more, int ranks) {
  Words keys{"--tokenizer", "", "--model", f() / "policy/model.h5"};
  for (const char* key : {"layers", "width", "heads", "init", "context", "position"}) {
    keys.insert(keys.end(), {std::string("--model.") + key, ""});
  }
  keys.insert(keys.end(), more.begin(), more.end());
  return f().sft(run, keys, ranks);
}
Words reward_command(const std::string& run, const Words& more, int ranks) {
  return f().reward(run, more, ranks);
}

TEST(FinishedRun, WithoutCheckpointsIsCompleteOrAnError) {
  int number = 0;
  for (const Command command : {sft_command, sft_from_model, reward_command}) {
    const std::string name = "finished_" + std::to_string(number++);
    const Path folder = f() / name;
    succeed(command(name, {"--train.steps", "4"}, 1));
    std::filesystem::remove_all(folder / "checkpoints");
    expect_untouched(folder, [&] {
      for (const int ranks : {1, 2}) {
        const Outcome again = succeed(command(name, {"--train.steps", "4"}, ranks));
        EXPECT_THAT(again.output, HasSubstr("is complete: model.h5 is there"));
        expect_refused(command(name, {"--train.steps", "8"}, ranks),
                       "train.steps (was '4', now '8')");
      }
      // How it is done may differ.
      succeed(command(name, {"--train.steps", "4", "--threads", "2", "--checkpoint.keep", "5"}, 1));
      expect_refused(command(name, {"--train.steps", "4", "--seed", "2"}, 1), "seed (was '1'");
      expect_refused(command(name, {"--train.steps", "4", "--data.valid", f() / "other.jsonl"}, 1),
                     "data.valid (was ");
    });
  }
}

TEST(FinishedRun, OfPpoWithoutCheckpointsIsCompleteOrAnError) {
  const auto ppo = [&](const Words& more, int ranks) {
    Words words{"ppo",
                "--policy",
                f() / "policy/model.h5",
                "--reward",
                f() / "reward/model.h5",
                "--data.prompts",
                f() / "data/test.jsonl",
                "--run",
                f() / "finished_ppo",
                "--train.steps",
                "2",
                "--ppo.batch",
                "4",
                "--ppo.mini_batches",
                "1",
                "--data.max_response_tokens",
                "8",
                "--threads",
                "1"};
    words.insert(words.end(), more.begin(), more.end());
    return f().command(words, ranks);
  };
  const Path folder = f() / "finished_ppo";
  succeed(ppo({}, 1));
  std::filesystem::remove_all(folder / "checkpoints");
  const auto made = [&] {
    std::string all;
    for (const char* name : {"policy.h5", "value.h5", "metrics.jsonl", "deck.cfg"}) {
      all += text_of(folder / name);
    }
    return all;
  };
  const std::string before = made();
  for (const int ranks : {1, 2}) {
    EXPECT_THAT(succeed(ppo({}, ranks)).output,
                HasSubstr("is complete: policy.h5 and value.h5 are there"));
    expect_refused(ppo({"--train.steps", "3"}, ranks), "train.steps (was '2', now '3')");
    expect_refused(ppo({"--ppo.kl", "0.5"}, ranks), "ppo.kl (was ");
  }
  EXPECT_EQ(made(), before);
  // One of the two is no finished run, and is not replaced.
  std::filesystem::remove(folder / "value.h5");
  const std::string policy = text_of(folder / "policy.h5");
  const Outcome half = run(ppo({}, 1));
  EXPECT_EQ(half.status, 1);
  EXPECT_THAT(half.output, HasSubstr("holds policy.h5 and no checkpoint"));
  EXPECT_EQ(text_of(folder / "policy.h5"), policy);
}

TEST(FinishedRun, WithCheckpointsMoreStepsGoOn) {
  const Words keys{"--train.schedule", "constant", "--train.steps"};
  const auto steps = [&](const char* count) {
    Words all = keys;
    all.emplace_back(count);
    return all;
  };
  succeed(f().sft("longer", steps("4")));
  succeed(f().sft("longer", steps("8")));
  EXPECT_EQ(lines_of(f() / "longer/metrics.jsonl"), 8);
}

TEST(FinishedRun, OfAnotherCommandOrWithoutItsDeckIsLeftAlone) {
  succeed(f().sft("of_sft", {"--train.steps", "2"}));
  std::filesystem::remove_all(f() / "of_sft/checkpoints");
  expect_untouched(f() / "of_sft", [&] {
    expect_refused(f().reward("of_sft", {"--train.steps", "2"}), "tokenizer (was '");
    const Words ppo{"ppo",
                    "--policy",
                    f() / "policy/model.h5",
                    "--reward",
                    f() / "reward/model.h5",
                    "--data.prompts",
                    f() / "data/test.jsonl",
                    "--run",
                    f() / "of_sft",
                    "--train.steps",
                    "1"};
    expect_refused(f().command(ppo), "no run of `ppo`", 1);
  });
  // A model that something else has put there.
  std::filesystem::create_directories(f() / "with_model");
  std::filesystem::copy_file(f() / "policy/model.h5", f() / "with_model/model.h5");
  expect_refused(sft_from_model("with_model", {"--model", f() / "with_model/model.h5"}, 1),
                 "no deck.cfg", 1);
}

TEST(FinishedRun, MetricsWithoutACheckpointAreNotLostToOtherKeys) {
  succeed(f().sft("only_rows", {"--train.steps", "3"}));
  std::filesystem::remove_all(f() / "only_rows/checkpoints");
  std::filesystem::remove(f() / "only_rows/model.h5");
  expect_untouched(f() / "only_rows", [&] {
    expect_refused(f().sft("only_rows", {"--train.steps", "2"}), "train.steps (was '3', now '2')");
  });
  // The same run gives the same rows.
  succeed(f().sft("only_rows", {"--train.steps", "3"}));
  EXPECT_EQ(lines_of(f() / "only_rows/metrics.jsonl"), 3);
}

}  // namespace
}  // namespace precis::test
