// Early ends of a run: by signals, by the end of the allocation, by a limit of the system. Each
// says its cause, saves what there is, and leaves the run fit to go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "io/file_damage.hpp"
#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int stopped_early = 75;

const TrainingFixture& f() { return training_fixture(); }

/// Many steps of a run that nothing else ends.
Words long_run(const std::string& name, int ranks = 1) {
  return f().sft(name, {"--train.steps", "3000", "--train.valid_every", "0"}, ranks);
}

/// Starts a run and sends it signals after some steps; how it ends.
Outcome end_by(const Words& words, const std::string& name, const std::vector<int>& signals) {
  Job job(words, f() / (name + ".output"));
  if (!wait_for_lines(job, f() / name / "metrics.jsonl", 3)) {
    return {};
  }
  for (const int signal : signals) {
    job.signal_rank(0, signal);
  }
  return job.wait();
}

void expect_saved(const std::string& name) {
  const int steps = lines_of(f() / name / "metrics.jsonl");
  EXPECT_TRUE(
      std::filesystem::exists(f() / name / "checkpoints" / fmt::format("step_{:06}.h5", steps)));
}

int unfinished_files_in(const Path& folder) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    count += entry.path().extension() == ".partial" ? 1 : 0;
  }
  return count;
}

TEST(Stops, EachSignalSavesAndSaysItsName) {
  const std::vector<std::pair<int, std::string>> signals{{SIGINT, "SIGINT"},
                                                         {SIGHUP, "SIGHUP"},
                                                         {SIGUSR2, "SIGUSR2"},
                                                         {SIGXCPU, "SIGXCPU (the limit of"}};
  for (const auto& [signal, said] : signals) {
    const std::string name = "by_" + said.substr(0, 7);
    const Outcome outcome = end_by(long_run(name), name, {signal});
    EXPECT_EQ(outcome.status, stopped_early) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr(said), HasSubstr("was received: the run saves"),
                                      HasSubstr("of 3000 steps, with a checkpoint: " + said)));
    EXPECT_THAT(outcome.output, Not(HasSubstr("mpirun")));
    expect_saved(name);
  }
}

TEST(Stops, TheSignalBeforeTheLimitAndTheOneAtItAreOneRequest) {
  const Outcome outcome = end_by(long_run("limit"), "limit", {SIGUSR1, SIGTERM});
  EXPECT_EQ(outcome.status, stopped_early) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("with a checkpoint: SIG"));
  expect_saved("limit");
}

/// A run whose rows take a while to be read.
Words slow_run(const std::string& name, const Words& more = {}, int ranks = 1) {
  const Path rows = f() / "many.jsonl";
  if (!std::filesystem::exists(rows)) {
    const std::string once = text_of(f() / "data/train.jsonl");
    std::string many;
    while (many.size() < std::size_t{40} << 20) {
      many += once;
    }
    overwrite(rows, many);
  }
  Words keys{"--data.train", rows, "--data.filter", "false"};
  keys.insert(keys.end(), more.begin(), more.end());
  return f().sft(name, keys, ranks);
}

/// Starts the run and sends it a signal while it reads.
Outcome end_reading(const Words& words, const std::string& name, int signal) {
  Job job(words, f() / (name + ".output"));
  while (job.running() && !std::filesystem::exists(f() / name / "lock")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // Between the lock and the first row, checkpoints are looked for.
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  job.signal_rank(0, signal);
  return job.wait();
}

TEST(Stops, BeforeTheFirstStepNothingIsLostAndTheNextLaunchIsTold) {
  const Outcome fresh = end_reading(slow_run("slow"), "slow", SIGTERM);
  EXPECT_EQ(fresh.status, 128 + SIGTERM) << fresh.output;
  EXPECT_THAT(fresh.output,
              HasSubstr("SIGTERM was received. No step was under way: nothing is lost. The same "
                        "command begins the run in " +
                        (f() / "slow").string()));
  EXPECT_EQ(run(slow_run("slow", {"--train.stop_after", "2"})).status, stopped_early);
  const std::string metrics = text_of(f() / "slow/metrics.jsonl");
  for (const int ranks : {1, 2}) {
    const Outcome outcome = end_reading(slow_run("slow", {}, ranks), "slow", SIGUSR1);
    EXPECT_EQ(outcome.status, stopped_early) << outcome.output;
    EXPECT_THAT(outcome.output,
                HasSubstr("SIGUSR1 was received. No step was under way: nothing is lost. The same "
                          "command goes on from " +
                          (f() / "slow/checkpoints/step_000002.h5").string() + ", after 2 steps."));
    EXPECT_THAT(outcome.output, Not(HasSubstr("is gone")));
  }
  EXPECT_EQ(text_of(f() / "slow/metrics.jsonl"), metrics);
  EXPECT_FALSE(std::filesystem::exists(f() / "slow/lock"));
  EXPECT_EQ(run(slow_run("slow", {"--train.stop_after", "1"})).status, stopped_early);
  EXPECT_EQ(lines_of(f() / "slow/metrics.jsonl"), 3);
}

TEST(Stops, UnderMpirunTheAnswerSaysHowToSave) {
  Job job(long_run("under_mpirun", 2), f() / "under_mpirun.output");
  ASSERT_TRUE(wait_for_lines(job, f() / "under_mpirun/metrics.jsonl", 3));
  job.signal_rank(0, SIGTERM);
  const Outcome outcome = job.wait();
  EXPECT_EQ(outcome.status, stopped_early) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("mpirun kills its ranks about two seconds after Ctrl-C"),
                    HasSubstr(fmt::format("kill -USR1 {} is what saves", job.pid())),
                    HasSubstr("with a checkpoint: SIGTERM was received.")));
}

TEST(Stops, SlurmsEndOfTheAllocationIsReadAndSaid) {
  // Within the margin before the end: one step, and it is time to save.
  const std::string soon = std::to_string(std::time(nullptr) + 15);
  setenv("SLURM_JOB_END_TIME", soon.c_str(), 1);
  const Outcome first = run(f().sft("allocation"));
  EXPECT_EQ(first.status, stopped_early) << first.output;
  EXPECT_THAT(first.output, AllOf(HasSubstr("Stopped after 1 of 12 steps, with a checkpoint: the "
                                            "allocation ends at 20"),
                                  HasSubstr("Z (SLURM_JOB_END_TIME).")));
  setenv("SLURM_JOB_END_TIME", "1700000000", 1);
  const Outcome over = run(f().sft("allocation", {"--train.stop_after", "1"}));
  EXPECT_THAT(over.output,
              AllOf(HasSubstr("SLURM_JOB_END_TIME is 2023-11-14T22:13:20Z, which is past"),
                    HasSubstr("with a checkpoint: train.stop_after is 1.")));
  setenv("SLURM_JOB_END_TIME", "soon", 1);
  EXPECT_THAT(run(f().sft("allocation")).output, HasSubstr("SLURM_JOB_END_TIME is 'soon'"));
  setenv("SLURM_JOB_END_TIME", soon.c_str(), 1);
  succeed(f().sft("allocation", {"--end_time", "none"}));
  unsetenv("SLURM_JOB_END_TIME");
}

TEST(Stops, WhatIsOfOneLaunchIsNotInTheDeckThatIsKept) {
  const Words keys{"--end_time",
                   std::to_string(std::time(nullptr) + 15),
                   "--train.stop_after",
                   "9",
                   "--trace",
                   "true",
                   "--grid",
                   "dp=1"};
  const Outcome first = run(f().sft("launch", keys));
  EXPECT_EQ(first.status, stopped_early) << first.output;
  EXPECT_THAT(first.output, HasSubstr("Z (end_time)."));
  const std::string deck = text_of(f() / "launch/deck.cfg");
  EXPECT_THAT(deck, HasSubstr("seed = 1\n"));
  for (const std::string key :
       {"end_time", "stop_after", "trace", "grid", "threads", "device", "dry_run", "resave"}) {
    EXPECT_THAT(deck, Not(HasSubstr(key + " ="))) << key;
  }
  succeed(f().command({"sft", f() / "launch/deck.cfg", "--threads", "1"}));
  EXPECT_EQ(lines_of(f() / "launch/metrics.jsonl"), 12);
  const Outcome past = run(f().sft("launch", {"--end_time", "2023-11-14T22:13:20Z"}));
  EXPECT_EQ(past.status, 2) << past.output;
  EXPECT_THAT(past.output, HasSubstr("end_time is 2023-11-14T22:13:20Z, which is past"));
}

TEST(Stops, ALimitOfTheSizeOfFilesIsSaidAndLeavesNothingUnfinished) {
  // MPI's own files are smaller than the limit, the checkpoint is larger.
  const Words words = f().sft("limited", {"--model.width", "256", "--train.batch", "2",
                                          "--train.steps", "2", "--train.valid_every", "0"});
  std::string command = "ulimit -f 8192; exec";
  for (const std::string& word : words) {
    command += " '" + word + "'";
  }
  const Outcome outcome = run({"/bin/bash", "-c", command});
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("The checkpoint of step 2 was not written"),
                                    HasSubstr("File too large")));
  EXPECT_EQ(unfinished_files_in(f() / "limited"), 0);
  succeed(words);
}

TEST(Stops, CheckpointsByTimeComeBeforeTheEnd) {
  succeed(f().sft("by_time", {"--checkpoint.every_minutes", "1e-6", "--checkpoint.keep", "100"}));
  EXPECT_TRUE(std::filesystem::exists(f() / "by_time/checkpoints/step_000001.h5"));
  EXPECT_TRUE(std::filesystem::exists(f() / "by_time/checkpoints/step_000012.h5"));
}

TEST(Stops, AnUnsetVariableInPlaceOfTheDeckIsNamed) {
  Words words = f().sft("unset");
  words.insert(words.begin() + 2, "");
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.status, 2) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("An argument is empty, expected the name of a deck"));
  EXPECT_FALSE(std::filesystem::exists(f() / "unset"));
}

TEST(Stops, TheProgressLineShowsWhatIsKnown) {
  const Words keys{"--log.every_seconds", "0", "--log.progress", "never"};
  EXPECT_THAT(succeed(f().sft("shown", keys)).output,
              AllOf(HasSubstr("step 12/12  loss "), HasSubstr("  valid_loss ")));
  EXPECT_THAT(succeed(f().reward("reward_shown", keys)).output,
              AllOf(HasSubstr("  accuracy 0."), HasSubstr("  valid_loss "),
                    HasSubstr("  valid_accuracy 0.")));
}

}  // namespace
}  // namespace precis::test
