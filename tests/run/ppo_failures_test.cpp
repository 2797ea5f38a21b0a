// How `ppo` ends when something is wrong: one clear message, the right status, no hang.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <tuple>

#include "base/error.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using Keys = std::vector<std::string>;

class PpoFailures : public testing::Test {
 protected:
  static void SetUpTestSuite() { fixture_ = std::make_unique<Fixture>(); }
  static void TearDownTestSuite() { fixture_.reset(); }

  static Path file(const std::string& name) { return *fixture_ / name; }

  /// Runs, expects the status and one message with every given part. mpirun has words of its own.
  static void expect_refused(int ranks, const Keys& keys, int status, const Keys& parts,
                             const std::string& name = "refused") {
    const Outcome outcome = run(fixture_->ppo(name, ranks, keys));
    EXPECT_EQ(outcome.status, status) << outcome.output;
    if (ranks == 1) {
      expect_one_message(outcome);
    }
    for (const std::string& part : parts) {
      EXPECT_THAT(outcome.output, HasSubstr(part));
    }
  }

  static std::unique_ptr<Fixture> fixture_;
};
std::unique_ptr<Fixture> PpoFailures::fixture_;

// The watchdog.

const Keys long_dedicated{"--placement",         "dedicated", "--train.steps",      "100000",
                          "--watchdog_seconds",  "2",         "--ppo.log_episodes", "0",
                          "--ppo.samples_every", "0"};

TEST_F(PpoFailures, AStoppedRankOfAnyRoleIsNamed) {
  const Keys roles{"rollout", "reward", "learner"};
  for (int rank = 0; rank < 3; ++rank) {
    const std::string name = "stopped_" + roles[static_cast<std::size_t>(rank)];
    Job job(fixture_->ppo(name, 3, long_dedicated), fixture_->output_of(name));
    ASSERT_TRUE(wait_for_lines(job, file(name) / "metrics.jsonl", 2));
    job.signal_rank(rank, SIGSTOP);
    const Outcome outcome = job.wait(30);
    EXPECT_EQ(outcome.status, 1) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("watchdog_seconds = 2"),
                                      HasSubstr(fmt::format("rank {} (pid ", rank)),
                                      HasSubstr("stopped by a signal")));
    EXPECT_THAT(outcome.output, ContainsRegex("has waited [0-9.]+ s in .* on '"));
  }
}

TEST_F(PpoFailures, AKilledRankIsNamed) {
  for (int rank = 0; rank < 3; ++rank) {
    const std::string name = fmt::format("killed_{}", rank);
    Job job(fixture_->ppo(name, 3, long_dedicated), fixture_->output_of(name));
    ASSERT_TRUE(wait_for_lines(job, file(name) / "metrics.jsonl", 2));
    job.signal_rank(rank, SIGKILL);
    const Outcome outcome = job.wait(30);
    EXPECT_NE(outcome.status, 0);
    EXPECT_NE(outcome.status, 124) << "the job hung";
    EXPECT_THAT(
        outcome.output,
        AllOf(ContainsRegex(fmt::format("precis: rank {} \\(pid [0-9]+ on .*\\) is gone", rank)),
              HasSubstr("its last operation, number ")));
  }
}

// The guards.

void expect_loadable(const Path& run_folder, const std::string& last) {
  EXPECT_THAT(text_of(run_folder / "checkpoints/latest"), HasSubstr(last));
  const Outcome verified =
      run({PRECIS_PROGRAM, "inspect", run_folder / "checkpoints" / last, "--verify"});
  EXPECT_EQ(verified.status, 0) << verified.output;
  EXPECT_FALSE(std::filesystem::exists(run_folder / "policy.h5"));
}

TEST_F(PpoFailures, TooFarFromTheReference) {
  for (const int ranks : {1, 3}) {
    const std::string name = fmt::format("far_{}", ranks);
    // Without any checkpoint on the way: the state before the guard is saved by the guard.
    Keys keys{"--reference",   "",   "--train.learning_rate", "1e-2",
              "--train.steps", "20", "--ppo.max_kl",          "0.01"};
    if (ranks > 1) {
      keys.insert(keys.end(), {"--placement", "dedicated"});
    }
    expect_refused(ranks, keys, 1, {"nats per summary from the reference", "ppo.max_kl"}, name);
    const int steps = lines_of(file(name) / "metrics.jsonl");
    EXPECT_GE(steps, 1);
    EXPECT_LT(steps, 20);
    const std::string last = fmt::format("step_{:06}.h5", steps);
    expect_loadable(file(name), last);
    // The saved state is the one that the guard saw: the run that goes on from it stops again.
    expect_refused(ranks, keys, 1,
                   {fmt::format("Step {}: the policy is", steps + 1),
                    fmt::format("state after step {} is in ", steps), last},
                   name);
    EXPECT_EQ(lines_of(file(name) / "metrics.jsonl"), steps);
  }
}

TEST_F(PpoFailures, AGuardsCheckpointPushesNoOlderOneOut) {
  const Keys keys{
      "--reference",  "",     "--train.learning_rate",    "1e-2", "--train.steps",     "20",
      "--ppo.max_kl", "0.01", "--checkpoint.every_steps", "2",    "--checkpoint.keep", "1"};
  expect_refused(1, keys, 1, {"ppo.max_kl"}, "kept");
  const int steps = lines_of(file("kept") / "metrics.jsonl");
  for (const int step : {steps, steps - steps % 2}) {
    EXPECT_TRUE(step == 0 || std::filesystem::exists(
                                 file("kept") / fmt::format("checkpoints/step_{:06}.h5", step)))
        << step;
  }
}

TEST_F(PpoFailures, NotANumber) {
  const auto policy = file("overflowing.h5");
  expect_refused(1, {"--policy", policy}, 1, {"is nan", "Step 1"}, "overflowing_1");
  expect_refused(4, {"--policy", policy, "--placement", "dedicated"}, 1, {"is nan", "Step 1"},
                 "overflowing_4");
  EXPECT_FALSE(std::filesystem::exists(file("overflowing_4") / "checkpoints/latest"));
  expect_refused(1, {"--policy", policy}, 1, {"no checkpoint yet"}, "overflowing_1");
}

TEST_F(PpoFailures, WeightsThatAreNotFiniteAreRefusedAtEachEntrance) {
  const std::pair<const char*, const char*> entrances[]{{"--policy", "poisoned.h5"},
                                                        {"--reference", "poisoned.h5"},
                                                        {"--reward", "poisoned_reward.h5"},
                                                        {"--value", "poisoned_reward.h5"}};
  for (const auto& [key, name] : entrances) {
    expect_refused(1, {key, file(name)}, 1,
                   {name, "blocks/000/mlp/up/weight", "is NaN or infinite"}, "refused");
  }
  // On the ranks that read it alone.
  expect_refused(4, {"--reward", file("poisoned_reward.h5"), "--placement", "dedicated"}, 1,
                 {"poisoned_reward.h5", "is NaN or infinite"}, "refused_4");
}

TEST_F(PpoFailures, AnExplosionKeepsTheLastCheckpoint) {
  // A replayed third step with one summary without end, whose score is then absurd.
  ASSERT_EQ(run(fixture_->ppo("before_explosion", 1)).status, 0);
  {
    std::ofstream replay(file("explosive.jsonl"));
    for (auto row : read_rows(file("before_explosion") / "episodes.jsonl")) {
      row["finish"] = row.at("episode") == 20 ? "length" : "eos";
      replay << row.dump() << "\n";
    }
  }
  for (const int ranks : {1, 4}) {
    const std::string name = fmt::format("exploded_{}", ranks);
    Keys keys{"--ppo.replay", file("explosive.jsonl"), "--ppo.missing_end_value", "-1e15"};
    if (ranks > 1) {
      keys.insert(keys.end(), {"--placement", "dedicated"});
    }
    expect_refused(ranks, keys, 1, {"Step 3: the value loss is", "state after step 2 is in "},
                   name);
    EXPECT_EQ(lines_of(file(name) / "metrics.jsonl"), 2);
    expect_loadable(file(name), "step_000002.h5");
  }
}

// Bad input.

TEST_F(PpoFailures, ModelsOfTheWrongKind) {
  const std::string policy = file("policy.h5");
  const std::string reward = file("reward.h5");
  expect_refused(1, {"--policy", reward}, 1,
                 {"reward.h5 is a reward model", "expected a language model"});
  expect_refused(1, {"--reward", policy}, 1, {"policy.h5", "language", "reward"});
  expect_refused(1, {"--value", policy}, 1, {"policy.h5", "language", "value"});
  expect_refused(1, {"--reference", reward}, 1, {"reward.h5", "reward", "language"});
  expect_refused(3, {"--reward", policy, "--placement", "dedicated"}, 1, {"policy.h5"});
  EXPECT_FALSE(std::filesystem::exists(file("refused")));
}

TEST_F(PpoFailures, ModelsWithDifferentTokenizers) {
  expect_refused(1, {"--policy", file("stranger.h5"), "--reference", ""}, 1,
                 {"stranger.h5", "reward.h5", "different tokenizers"});
  expect_refused(2, {"--reference", file("stranger.h5")}, 1,
                 {"stranger.h5", "policy.h5", "different tokenizers"});
}

TEST_F(PpoFailures, Keys) {
  expect_refused(1, {"--ppo.batch", "10", "--ppo.mini_batches", "4"}, 2,
                 {"ppo.batch is 10", "ppo.mini_batches is 4", "ppo.batch = 8"});
  expect_refused(1, {"--train.steps", "0"}, 2, {"train.steps"});
  expect_refused(1, {"--train.batch", "8"}, 2, {"train.batch"});
  expect_refused(1, {"--ppo.staleness", "2"}, 2, {"ppo.staleness"});
  expect_refused(1, {"--ppo.clip", "-0.1"}, 2, {"ppo.clip"});
  expect_refused(1, {"--ppo.temperature", "0"}, 2, {"ppo.temperature"});
  expect_refused(1, {"--ppo.gamma", "1.5"}, 2, {"ppo.gamma"});
  expect_refused(1, {"--ppo.kll", "1"}, 2, {"ppo.kll", "ppo.kl"});
  expect_refused(1, {"--policy", ""}, 2, {"policy"});
  expect_refused(1, {"--placement", "beside"}, 2, {"beside", "colocated", "dedicated"});
  expect_refused(1, {"--data.prompts", file("nothing.jsonl")}, 1, {"nothing.jsonl"});
}

TEST_F(PpoFailures, Layouts) {
  expect_refused(2, {"--placement", "dedicated"}, 2, {"dedicated", "2 were started"});
  expect_refused(3, {"--grid", "dp=2"}, 2, {"grid", "3"});
  expect_refused(2, {"--grid", "dp=4"}, 2, {"grid", "2"});
  expect_refused(3, {"--grid", "pp=3"}, 2, {"pp = 3", "blocks: 2"});
  expect_refused(4,
                 {"--placement", "dedicated", "--rollout.grid", "dp=1", "--reward.grid", "dp=1",
                  "--learner.grid", "dp=1"},
                 2, {"rollout 1 + reward 1 + learner 1 = 3 ranks", "4 were started"});
}

TEST_F(PpoFailures, AReplayThatDoesNotFit) {
  ASSERT_EQ(run(fixture_->ppo("recorded", 1, {"--train.steps", "2"})).status, 0);
  const std::string episodes = file("recorded") / "episodes.jsonl";
  expect_refused(1, {"--ppo.replay", episodes}, 1, {episodes, "no episode 16"}, "replayed");
  expect_refused(3, {"--ppo.replay", episodes, "--placement", "dedicated"}, 1,
                 {episodes, "no episode 16"}, "replayed_3");
  expect_refused(1, {"--ppo.replay", file("prompts.jsonl")}, 1,
                 {"prompts.jsonl:1", "the field `episode`"});
  const auto with = [&](const char* name, const char* field, const nlohmann::json& value) {
    auto row = read_rows(episodes).at(0);
    row[field] = value;
    std::ofstream(file(name)) << row.dump() << "\n";
    return file(name).string();
  };
  expect_refused(1, {"--ppo.replay", with("alien.jsonl", "prompt_ids", {5, 99999})}, 1,
                 {"alien.jsonl:1", "prompt_ids", "holds 99999"});
  expect_refused(1, {"--ppo.replay", with("long.jsonl", "prompt_ids", std::vector<int>(200, 5))}, 1,
                 {"long.jsonl:1", "context is 128"});
  expect_refused(1, {"--ppo.replay", with("finish.jsonl", "finish", "never")}, 1,
                 {"finish.jsonl:1", "finish", "never"});
  expect_refused(1, {"--ppo.replay", with("type.jsonl", "response_ids", "text")}, 1,
                 {"type.jsonl:1", "response_ids", "a list of ids"});
}

TEST_F(PpoFailures, RunFolders) {
  std::ofstream(file("a_file")) << "text";
  expect_refused(1, {"--run", file("a_file") / "run"}, 1, {"a_file"});
  expect_refused(3, {"--run", file("a_file")}, 1, {"a_file"});
  expect_refused(1, {"--run", "/proc/nowhere"}, 1, {"/proc/nowhere"});
}

TEST_F(PpoFailures, ACheckpointThatCannotBeWritten) {
  // In a dedicated run the first learner rank writes it, not rank 0.
  for (const int ranks : {1, 3}) {
    for (const std::string on_failure : {"stop", "warn"}) {
      const std::string name = fmt::format("unwritable_{}_{}", ranks, on_failure);
      std::filesystem::create_directories(file(name) / "checkpoints/step_000002.h5.partial/folder");
      Keys keys{"--checkpoint.every_steps", "1", "--checkpoint.on_failure", on_failure};
      if (ranks > 1) {
        keys.insert(keys.end(), {"--placement", "dedicated"});
      }
      const Outcome outcome = run(fixture_->ppo(name, ranks, keys));
      EXPECT_EQ(outcome.status, on_failure == "stop" ? 1 : 0) << outcome.output;
      EXPECT_THAT(outcome.output, HasSubstr("step_000002.h5"));
      EXPECT_EQ(outcome.output.find("the same command then goes on") != std::string::npos,
                on_failure == "stop");
      EXPECT_THAT(text_of(file(name) / "checkpoints/latest"),
                  HasSubstr(on_failure == "stop" ? "step_000001.h5" : "step_000003.h5"));
    }
  }
}

TEST_F(PpoFailures, AStopOrAResaveWithoutACheckpointIsAFailure) {
  const Path in_the_way = file("unsaved") / "checkpoints/step_000002.h5.partial/folder";
  std::filesystem::create_directories(in_the_way);
  const Keys keys{"--checkpoint.every_steps", "1", "--checkpoint.on_failure", "warn"};
  const auto with = [&](const char* key, const char* value) {
    Keys all = keys;
    all.insert(all.end(), {key, value});
    return all;
  };
  expect_refused(1, with("--train.stop_after", "2"), 1,
                 {"The checkpoint of step 2 was not written", "state after step 1 is in"},
                 "unsaved");
  std::filesystem::remove_all(in_the_way.parent_path());
  ASSERT_EQ(run(fixture_->ppo("unsaved", 1, with("--train.stop_after", "1"))).status, 75);
  std::filesystem::create_directories(in_the_way);
  expect_refused(1, with("--checkpoint.resave", "true"), 1,
                 {"The checkpoint of step 2 was not written", "state after step 2 is in"},
                 "unsaved");
}

TEST_F(PpoFailures, AGuardThatCannotSaveNamesTheLastCheckpoint) {
  // The guard of step 3, whose reference is far, finds no way to save step 2.
  std::filesystem::create_directories(file("unguarded") /
                                      "checkpoints/step_000002.h5.partial/folder");
  ASSERT_EQ(run(fixture_->ppo("before_guard", 1)).status, 0);
  {
    std::ofstream replay(file("guarded.jsonl"));
    for (auto row : read_rows(file("before_guard") / "episodes.jsonl")) {
      row["finish"] = row.at("episode") == 20 ? "length" : "eos";
      replay << row.dump() << "\n";
    }
  }
  const Keys keys{"--ppo.replay", file("guarded.jsonl"), "--ppo.missing_end_value", "-1e15"};
  Keys first = keys;
  first.insert(first.end(), {"--train.stop_after", "1"});
  ASSERT_EQ(run(fixture_->ppo("unguarded", 1, first)).status, 75);
  expect_refused(1, keys, 1,
                 {"Step 3: the value loss is", "The checkpoint of step 2 was not written",
                  "state after step 1 is in"},
                 "unguarded");
}

TEST_F(PpoFailures, AReplayMayGrowBehindWhatWasUsed) {
  ASSERT_EQ(run(fixture_->ppo("longer", 1)).status, 0);  // 3 steps of 8
  const Rows rows = read_rows(file("longer") / "episodes.jsonl");
  const auto replay_of = [&](std::size_t count) {
    std::ofstream replay(file("growing.jsonl"));
    for (std::size_t i = 0; i < count; ++i) {
      replay << rows.at(i).dump() << "\n";
    }
  };
  const auto keys = [&](const char* steps) {
    return Keys{"--ppo.replay", file("growing.jsonl"), "--train.steps",
                steps,          "--train.schedule",    "constant"};
  };
  replay_of(16);
  ASSERT_EQ(run(fixture_->ppo("growing", 1, keys("2"))).status, 0);
  replay_of(24);
  const Outcome longer = run(fixture_->ppo("growing", 1, keys("3")));
  EXPECT_EQ(longer.status, 0) << longer.output;
  std::ofstream changed(file("growing.jsonl"));
  for (auto row : rows) {
    row["finish"] = row.at("episode") == 9 ? "length" : "eos";
    changed << row.dump() << "\n";
  }
  changed.close();
  std::filesystem::remove(file("growing") / "policy.h5");
  expect_refused(1, keys("3"), 2, {"ppo.replay", "something else"}, "growing");
}

TEST_F(PpoFailures, ASecondProcessOnTheSameRunFolder) {
  Job job(fixture_->ppo("busy", 1, {"--train.steps", "100000"}), fixture_->output_of("busy"));
  ASSERT_TRUE(wait_for_lines(job, file("busy") / "metrics.jsonl", 1));
  expect_refused(1, {}, 1, {"busy", "is in use by process", "on host"}, "busy");
  expect_refused(2, {}, 1, {"busy", "is in use by process", "on host"}, "busy");
  EXPECT_TRUE(job.running());
}

TEST_F(PpoFailures, AChangedKeyOfAContinuedRun) {
  ASSERT_EQ(run(fixture_->ppo("begun", 1, {"--train.stop_after", "1"})).status, 75);
  expect_refused(1, {"--ppo.kl", "0.1"}, 2, {"ppo.kl", "0.1", "0.05"}, "begun");
  expect_refused(3, {"--seed", "5", "--placement", "dedicated"}, 2, {"seed"}, "begun");
  // The lock and the keys are looked at before data and models are read.
  expect_refused(1, {"--ppo.kl", "0.1", "--data.prompts", file("nothing.jsonl")}, 2, {"ppo.kl"},
                 "begun");
  // Placement, threads and ranks may change.
  const Outcome moved = run(fixture_->ppo("begun", 3, {"--placement", "dedicated"}));
  EXPECT_EQ(moved.status, 0) << moved.output;
  EXPECT_THAT(moved.output, HasSubstr("else it agrees to rounding"));
}

TEST_F(PpoFailures, ChangedInputsOfAContinuedRun) {
  const auto copied = [](const char* from, const char* to) {
    std::filesystem::copy_file(file(from), file(to),
                               std::filesystem::copy_options::overwrite_existing);
    return file(to).string();
  };
  const std::string prompts = copied("prompts.jsonl", "my_prompts.jsonl");
  const std::string reward = copied("reward.h5", "my_reward.h5");
  const Keys keys{"--data.prompts", prompts, "--reward", reward};
  ASSERT_EQ(
      run(fixture_->ppo("inputs", 1,
                        {"--data.prompts", prompts, "--reward", reward, "--train.stop_after", "1"}))
          .status,
      75);
  const std::string text = text_of(prompts);
  std::ofstream(prompts) << text.substr(text.find('\n') + 1);
  expect_refused(1, keys, 2, {"data.prompts", "something else"}, "inputs");
  expect_refused(2, keys, 2, {"data.prompts", "something else"}, "inputs");
  std::ofstream(prompts) << text;
  copied("rotary_reward.h5", "my_reward.h5");
  expect_refused(1, keys, 2, {"reward", "something else"}, "inputs");
  std::filesystem::remove(reward);
  expect_refused(1, keys, 1, {"my_reward.h5"}, "inputs");
  // The same under other names.
  const Outcome moved = run(fixture_->ppo("inputs", 1));
  EXPECT_EQ(moved.status, 0) << moved.output;
  // Complete: neither data nor models are read.
  const Outcome again = run(fixture_->ppo(
      "inputs", 1,
      {"--log.level", "info", "--data.prompts", file("no.jsonl"), "--policy", file("no.h5")}));
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("is complete"));
}

TEST_F(PpoFailures, ASignalIsAcknowledgedWithinALongStep) {
  const Path folder = file("long_step");
  Job job(fixture_->ppo("long_step", 2,
                        {"--ppo.batch", "512", "--ppo.epochs", "4", "--train.steps", "100",
                         "--log.level", "info", "--ppo.log_episodes", "0"}),
          fixture_->output_of("long_step"));
  while (job.running() && !std::filesystem::exists(folder / "metrics.jsonl")) {
    usleep(10'000);
  }
  usleep(300'000);
  kill(job.pid(), SIGUSR1);  // mpirun passes it on to its ranks
  const auto sent = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - sent).count();
  };
  const std::string said = "SIGUSR1 was received";
  while (job.running() && text_of(folder / "log.txt").find(said) == std::string::npos) {
    usleep(10'000);
  }
  EXPECT_LT(seconds(), 2);
  EXPECT_EQ(lines_of(folder / "metrics.jsonl"), 0) << "the step was not long";
  const Outcome outcome = job.wait();
  EXPECT_EQ(outcome.status, 75) << outcome.output;
  EXPECT_EQ(lines_of(folder / "metrics.jsonl"), 1);
  expect_loadable(folder, "step_000001.h5");
}

TEST_F(PpoFailures, AnUnendingPolicyShowsTheRewardThatIsOptimisedAndIsWarnedAboutOnce) {
  const Outcome outcome = run(
      fixture_->ppo("unending", 1,
                    {"--data.max_response_tokens", "1", "--log.level", "info",
                     "--log.every_seconds", "0", "--train.learning_rate", "0", "--reference", ""}));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(count_of(outcome.output, "% of the summaries ended"), 1) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("step 3/3  reward -"), HasSubstr("  score "),
                                    HasSubstr("  KL 0.00  length 1.0  ended "),
                                    HasSubstr("replaced by -1 (ppo.missing_end = replace)")));
}

TEST_F(PpoFailures, DryRunWritesNothing) {
  const Outcome outcome = run(fixture_->ppo("dry", 2, {"--dry_run", "true"}));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("16 prompts; 3 steps of 8 episodes"),
                                    HasSubstr("colocated: rollout")));
  EXPECT_FALSE(std::filesystem::exists(file("dry")));
}

TEST_F(PpoFailures, HoldsThePlannedMemory) {
  for (const auto& [name, ranks, placement] :
       {std::tuple{"alone", 1, "colocated"}, {"two", 2, "colocated"}, {"apart", 3, "dedicated"}}) {
    expect_planned_memory(
        fixture_->ppo(name, ranks, {"--log.level", "info", "--placement", placement}), file(name));
  }
}

}  // namespace
}  // namespace precis::test
