// Ranks that see different things: an error that names rank, host and cause; and inputs that can be
// read only once, which all ranks get.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "io/file_damage.hpp"
#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

const TrainingFixture& f() { return training_fixture(); }

/// Other words for the last rank, those that begin with PRECIS_PROGRAM.
Words with_other_last_rank(int ranks, const Words& words, const Words& last) {
  Words all{PRECIS_MPIEXEC, "--oversubscribe",        "--bind-to", "none",
            "-n",           std::to_string(ranks - 1)};
  all.insert(all.end(), words.begin(), words.end());
  all.insert(all.end(), {":", "-n", "1"});
  all.insert(all.end(), last.begin(), last.end());
  return all;
}

/// The job must end with status 1 and one message that names the last rank and what differs.
void refuse(int ranks, const Words& words, const Words& last, const std::string& cause) {
  const Outcome outcome = run(with_other_last_rank(ranks, words, last), 40);
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr(fmt::format("precis: rank {}: ", ranks - 1)), HasSubstr(cause),
                    ContainsRegex("rank 0 \\(host [^)]+\\)"),
                    ContainsRegex(fmt::format("rank {} \\(host [^)]+\\)", ranks - 1))));
}

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// Two ranks of `sft` or `reward`, the second with some keys of its own.
void refuse_sft(const Words& keys, const std::string& cause) {
  refuse(2, f().sft("differs"), f().sft("differs", keys), cause);
}
void refuse_reward(const Words& keys, const std::string& cause) {
  refuse(2, f().reward("differs"), f().reward("differs", keys), cause);
}

/// The last of some ranks finds another file under the same name: in a folder of its own, as on a
/// node's own disk.
void refuse_stale(int ranks, const Words& command, const std::string& key, const Path& file,
                  const std::string& other_text) {
  std::filesystem::create_directories(f() / "node_a");
  std::filesystem::create_directories(f() / "node_b");
  overwrite(f() / "node_a/file", text_of(file));
  overwrite(f() / "node_b/file", other_text);
  const auto in = [&](const char* folder) {
    Words words{"/usr/bin/env", "-C", f() / folder};
    words.insert(words.end(), command.begin(), command.end());
    words.insert(words.end(), {"--" + key, "file"});
    return words;
  };
  refuse(ranks, in("node_a"), in("node_b"), "The digest of " + key);
}

std::string changed(const Path& file, const std::string& from, const std::string& to) {
  std::string text = text_of(file);
  std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << file;
  for (; at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

TEST(Ranks, OtherKeysAreNamedWithBothValues) {
  refuse_sft({"--seed", "7"}, "precis: rank 1: --seed is 1 on rank 0");
  refuse_sft({"--train.learning_rate", "1e-3"}, "--train.learning_rate is 0.003 on rank 0");
  refuse_reward({"--train.learning_rate", "1e-2"}, "--train.learning_rate is 0.001 on rank 0");
  refuse_sft({"--train.steps", "24"}, "--train.steps is 12 on rank 0");
  refuse_sft({"--data.limit", "3", "--train.keep", "best", "--data.valid", "", "--seed", "2",
              "--train.beta1", "0.5"},
             "and 2 more differ");
  refuse(4, f().reward("differs"), f().sft("differs"), "The command is reward on rank 0");
  EXPECT_FALSE(std::filesystem::exists(f() / "differs"));
}

TEST(Ranks, OtherDecksAndThreads) {
  overwrite(f() / "one.cfg", "[train]\nclip_norm = 1\n");
  overwrite(f() / "two.cfg", "[train]\nclip_norm = 2\n");
  const auto with_deck = [&](const char* deck, const Words& more) {
    Words words = f().sft("threads", more);
    words.insert(words.begin() + 2, f() / deck);
    return words;
  };
  refuse(2, with_deck("one.cfg", {}), with_deck("two.cfg", {}), "--train.clip_norm is 1 on rank 0");
  const Outcome threads =
      run(with_other_last_rank(2, with_deck("one.cfg", {"--train.steps", "1"}),
                               with_deck("one.cfg", {"--train.steps", "1", "--threads", "2"})));
  EXPECT_EQ(threads.status, 0) << threads.output;
}

TEST(Ranks, AnotherInstructionSet) {
  const Outcome version = run({PRECIS_PROGRAM, "--version"});
  if (version.output.find("in use: AVX-512") == std::string::npos) {
    GTEST_SKIP() << "this processor has one instruction set to choose from";
  }
  refuse(2, f().sft("differs"), with({"/usr/bin/env", "PRECIS_ISA=avx2"}, f().sft("differs")),
         "The instruction set is AVX-512 on rank 0");
}

TEST(Ranks, OtherRowsChoicesTokenizersAndModels) {
  const Path train = f() / "data/train.jsonl";
  const Path tokenizer = f() / "tokenizer.json";
  const Path pairs = f() / "comparisons.jsonl";
  const auto sft = [&](const char* without) { return f().sft("differs", {without, ""}); };
  refuse_stale(2, sft("--data.train"), "data.train", train, changed(train, ". ", ", "));
  refuse_stale(3, sft("--data.valid"), "data.valid", train, changed(train, ". ", ", "));
  refuse_stale(2, sft("--tokenizer"), "tokenizer", tokenizer, changed(tokenizer, ": ", ":  "));
  const auto reward = [&](const char* without) { return f().reward("differs", {without, ""}); };
  refuse_stale(4, reward("--data.train"), "data.train", pairs,
               changed(pairs, "\"choice\":0", "\"choice\":1"));
  // No token differs, but the shift of the rewards.
  refuse_stale(2, reward("--data.train"), "data.train", pairs,
               changed(pairs, R"("policy":")", R"("policy":"x)"));
  refuse_stale(2, reward("--model"), "model", f() / "policy/model.h5",
               text_of(f() / "reward/model.h5"));
  EXPECT_FALSE(std::filesystem::exists(f() / "differs"));
}

TEST(Ranks, OtherInputsOfSampleScoreAndEvaluate) {
  const Path rows = f() / "data/test.jsonl";
  const Path pairs = f() / "comparisons.jsonl";
  const std::string policy = f() / "policy/model.h5";
  const std::string reward = f() / "reward/model.h5";
  const std::string output = f() / "no.jsonl";
  // Another id is another result.
  for (const std::string command : {"sample", "score"}) {
    refuse_stale(3, f().command({command, "--model", policy, "--output", output}), "input", rows,
                 changed(rows, "\"id\":\"", "\"id\":\"x"));
  }
  refuse_stale(2, f().command({"score", "--input", rows, "--output", output}), "model", reward,
               text_of(policy));
  refuse_stale(2, f().command({"evaluate", "reward", "--model", reward}), "input", pairs,
               changed(pairs, "\"choice\":0", "\"choice\":1"));
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST(Ranks, AnotherCheckpointUnderTheSameName) {
  const auto begun = [&](const char* folder, const char* seed) {
    const Outcome outcome =
        run(f().sft(folder, {"--train.stop_after", "2", "--train.learning_rate", seed}));
    EXPECT_EQ(outcome.status, 75) << outcome.output;
  };
  begun("node_a/run", "3e-3");
  begun("node_b/run", "1e-3");
  const auto in = [&](const char* folder) {
    return with({"/usr/bin/env", "-C", f() / folder},
                with(f().sft("", {"--run", ""}), {"--run", "run"}));
  };
  refuse(2, in("node_a"), in("node_b"), "The digest of run/checkpoints/step_000002.h5 is ");
}

std::string quoted(const Words& words) {
  std::string line;
  for (const std::string& word : words) {
    line += "'" + word + "' ";
  }
  return line;
}

/// A command whose inputs come by a named pipe, into which the shell puts the file.
Outcome run_with_pipe(const Path& file, const Path& pipe, const Words& words) {
  std::filesystem::remove(pipe);
  EXPECT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  return shell("timeout 60 sh -c \"cat '" + file.string() + "' > '" + pipe.string() + "'\" & " +
               "timeout 60 " + quoted(words));
}

/// Whether mpirun crashed where it hands its standard input on, as Open MPI 4 does now and then
/// (github.com/open-mpi/ompi/issues/7483). The function stands in the stack that mpirun prints of
/// itself; no rank has it.
bool launcher_crashed(const Outcome& outcome) {
  return outcome.status == 128 + SIGSEGV &&
         outcome.output.find("orte_iof_hnp_read_local_handler") != std::string::npos;
}

/// Once more after a crash of the launcher alone, with a new run folder; any other end is the
/// program's, and counts.
Outcome run_with_stdin(const Path& file, const Words& words) {
  const std::string command = "timeout 60 " + quoted(words) + " < '" + file.string() + "'";
  Outcome outcome = shell(command);
  if (launcher_crashed(outcome)) {
    // Its ranks end by themselves when they miss it.
    std::this_thread::sleep_for(std::chrono::seconds(3));
    if (const auto key = std::find(words.begin(), words.end(), "--run"); key != words.end()) {
      std::filesystem::remove_all(*std::next(key));
    }
    outcome = shell(command);
  }
  return outcome;
}

TEST(Streams, AreGivenAgainOnlyAfterACrashOfTheLauncherItself) {
  const Path file = f() / "data/test.jsonl";
  const auto crash_once = [&](const std::string& what, const std::string& stack) {
    const std::string marker = f() / ("crashed_" + what);
    return run_with_stdin(file, {"/bin/sh", "-c",
                                 "if mkdir \"" + marker + "\"; then echo " + stack +
                                     "; kill -SEGV $$; fi; cat > /dev/null"});
  };
  EXPECT_EQ(crash_once("launcher", "orte_iof_hnp_read_local_handler").status, 0);
  EXPECT_EQ(crash_once("program", "precis").status, 128 + SIGSEGV);
}

TEST(Streams, SampleAndScoreReadThemOnceOnAnyNumberOfRanks) {
  const Path rows = f() / "data/test.jsonl";
  const Path pipe = f() / "pipe";
  for (const std::string command : {"sample", "score"}) {
    const auto words = [&](const Path& input, int ranks) {
      return f().command({command, "--model", f() / "policy/model.h5", "--input", input, "--output",
                          f() / "streamed.jsonl", "--threads", "1", "--log.level", "warning"},
                         ranks);
    };
    succeed(words(rows, 1));
    const std::string expected = text_of(f() / "streamed.jsonl");
    ASSERT_GT(expected.size(), 1000U);
    for (const int ranks : {1, 2, 3, 4}) {
      for (const bool named : {true, false}) {
        std::filesystem::remove(f() / "streamed.jsonl");
        const Outcome outcome = named ? run_with_pipe(rows, pipe, words(pipe, ranks))
                                      : run_with_stdin(rows, words("/dev/stdin", ranks));
        EXPECT_EQ(outcome.status, 0) << outcome.output;
        EXPECT_EQ(text_of(f() / "streamed.jsonl"), expected) << command << " on " << ranks;
      }
    }
  }
}

TEST(Streams, ProcessSubstitutionsReachTheRanks) {
  const Path rows = f() / "data/test.jsonl";
  const auto words = [&](int ranks) {
    return quoted(f().command({"score", "--model", f() / "policy/model.h5", "--output",
                               f() / "substituted.jsonl", "--threads", "1"},
                              ranks)) +
           "--input <(cat \"" + rows.string() + "\")";
  };
  for (const int ranks : {1, 3}) {
    overwrite(f() / "substitute.sh", words(ranks));
    const Outcome outcome = shell("timeout 60 bash '" + (f() / "substitute.sh").string() + "'");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(lines_of(f() / "substituted.jsonl"), lines_of(rows));
  }
}

TEST(Streams, TrainingTakesOneForTwoKeysAndForItsDeck) {
  const Path pipe = f() / "training_pipe";
  for (const int ranks : {1, 2}) {
    const Words keys{"--train.steps", "4"};
    const std::string n = std::to_string(ranks);
    succeed(f().sft("by_file_" + n,
                    {"--train.steps", "4", "--data.valid", f() / "data/train.jsonl"}, ranks));
    const Outcome sft = run_with_pipe(
        f() / "data/train.jsonl", pipe,
        f().sft("by_pipe_" + n, {"--train.steps", "4", "--data.train", pipe, "--data.valid", pipe},
                ranks));
    EXPECT_EQ(sft.status, 0) << sft.output;
    expect_same_training(f() / ("by_file_" + n), f() / ("by_pipe_" + n), 4);

    succeed(f().reward("pairs_by_file_" + n, keys, ranks));
    const Outcome reward = run_with_stdin(
        f() / "comparisons.jsonl", f().reward("pairs_by_stdin_" + n,
                                              {"--train.steps", "4", "--data.train", "/dev/stdin",
                                               "--data.valid", "/dev/stdin"},
                                              ranks));
    EXPECT_EQ(reward.status, 0) << reward.output;
    expect_same_training(f() / ("pairs_by_file_" + n), f() / ("pairs_by_stdin_" + n), 4);

    const Outcome deck =
        run_with_pipe(f() / ("by_file_" + n) / "deck.cfg", pipe,
                      f().command({"sft", pipe, "--run", f() / ("by_deck_" + n)}, ranks));
    EXPECT_EQ(deck.status, 0) << deck.output;
    expect_same_training(f() / ("by_file_" + n), f() / ("by_deck_" + n), 4);
  }
}

TEST(Streams, PpoAndEvaluateRewardReadThemOnceOnSeveralRanks) {
  const Path prompts = f() / "data/test.jsonl";
  const auto ppo = [&](const std::string& name, const Path& rows, int ranks) {
    return f().command({"ppo",
                        "--policy",
                        f() / "policy/model.h5",
                        "--reward",
                        f() / "reward/model.h5",
                        "--data.prompts",
                        rows,
                        "--data.valid",
                        rows,
                        "--run",
                        f() / name,
                        "--train.steps",
                        "2",
                        "--ppo.batch",
                        "12",
                        "--ppo.mini_batches",
                        "1",
                        "--ppo.log_episodes",
                        "12",
                        "--data.max_response_tokens",
                        "8",
                        "--threads",
                        "1"},
                       ranks);
  };
  for (const int ranks : {3, 4}) {
    const std::string n = std::to_string(ranks);
    succeed(ppo("ppo_by_file_" + n, prompts, ranks));
    const Outcome outcome = run_with_stdin(prompts, ppo("ppo_by_stdin_" + n, "/dev/stdin", ranks));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    expect_same_run(f() / ("ppo_by_file_" + n), f() / ("ppo_by_stdin_" + n), 2);
  }
  const Path pairs = f() / "comparisons.jsonl";
  const auto evaluate = [&](const Path& rows, const std::string& output, int ranks) {
    return f().command({"evaluate", "reward", "--model", f() / "reward/model.h5", "--input", rows,
                        "--output", f() / output, "--threads", "1"},
                       ranks);
  };
  succeed(evaluate(pairs, "rewards_by_file", 1));
  const std::string expected = text_of(f() / "rewards_by_file");
  ASSERT_GT(expected.size(), 1000U);
  for (const int ranks : {3, 4}) {
    const Path pipe = f() / "pairs_pipe";
    const Outcome outcome = run_with_pipe(pairs, pipe, evaluate(pipe, "rewards_by_pipe", ranks));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(text_of(f() / "rewards_by_pipe"), expected) << ranks;
    std::filesystem::remove(f() / "rewards_by_pipe");
  }
}

TEST(Streams, WhatCannotComeByThemIsRefused) {
  const Path pipe = f() / "model_pipe";
  const auto score = [&](const Path& model, const Path& input) {
    return f().command({"score", "--model", model, "--input", input, "--output",
                        f() / "refused.jsonl", "--log.level", "warning"},
                       2);
  };
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Outcome model = run(score(pipe, f() / "data/test.jsonl"), 30);
  EXPECT_EQ(model.status, 1) << model.output;
  EXPECT_THAT(model.output, HasSubstr("is a pipe or a device"));
  overwrite(f() / "bad_rows", "{\"prompt\": \"a\", \"response\": 3}\n");
  const Outcome rows =
      run_with_stdin(f() / "bad_rows", score(f() / "policy/model.h5", "/dev/stdin"));
  EXPECT_EQ(rows.status, 1) << rows.output;
  EXPECT_THAT(rows.output, HasSubstr("/dev/stdin:1: the field `response` is number"));
}

TEST(SlurmTasks, ThatMpiDoesNotKnowAreRefusedUnlessTheyWriteApart) {
  const auto score = [&](const std::string& environment, const std::string& output) {
    return shell("env -u OMPI_COMM_WORLD_SIZE " + environment + " " +
                 quoted(f().command({"score", "--model", f() / "policy/model.h5", "--input",
                                     f() / "data/test.jsonl", "--output", f() / output})));
  };
  const std::string step = "SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_ID=0 SLURM_PROCID=";
  for (const std::string& environment :
       {step + "0", step + "3", std::string("SLURM_NTASKS=4 SLURM_PROCID=2")}) {
    const Outcome refused = score(environment, "all.jsonl");
    EXPECT_EQ(refused.status, 2) << refused.output;
    EXPECT_THAT(refused.output, AllOf(HasSubstr("srun --mpi=pmix"), HasSubstr("--output"),
                                      HasSubstr("all.jsonl"), HasSubstr("of 4 of a Slurm step")));
    EXPECT_FALSE(std::filesystem::exists(f() / "all.jsonl"));
  }
  EXPECT_EQ(score(step + "3", "task_3.jsonl").status, 0);
  EXPECT_EQ(score(step + "1", "task_3.jsonl").status, 2);
  EXPECT_EQ(score(step + "3", "task3.jsonl").status, 2);
  // A batch script, and a step of one task.
  EXPECT_EQ(score("SLURM_NTASKS=4 SLURM_PROCID=0", "all.jsonl").status, 0);
  EXPECT_EQ(score("SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0", "all.jsonl").status, 0);
  const Outcome run =
      shell("env -u OMPI_COMM_WORLD_SIZE " + step + "1 " + quoted(f().sft("tasks")));
  EXPECT_EQ(run.status, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("--run"));
}

}  // namespace
}  // namespace precis::test
