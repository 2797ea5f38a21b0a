// `ppo` with roles on grids of their own: a rank of any role that is stopped or killed, also on the
// weights' way from learner to rollout, and weights that do not arrive as they were sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

/// How many seconds a job is given, with the watchdog's five: for its start and for the patience
/// that the watchdog has with mpirun.
constexpr double most_seconds = 90;
/// WeightSync's messages (rlhf/weight_sync.cpp).
constexpr const char* weights_tag = "13";

class PpoGridFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() { fixture_ = std::make_unique<Fixture>(); }
  static void TearDownTestSuite() { fixture_.reset(); }
  static Path file(const std::string& name) { return *fixture_ / name; }

  /// A run on five ranks that nothing else ends: 0 and 1 generate, 2 scores, 3 and 4 learn.
  static Words long_run(const std::string& name) {
    return fixture_->ppo(
        name, 5,
        {"--placement", "dedicated", "--rollout.grid", "tp=2", "--reward.grid", "dp=1",
         "--learner.grid", "tp=2", "--train.steps", "100000", "--ppo.log_episodes", "0",
         "--ppo.samples_every", "0", "--watchdog_seconds", "5"});
  }

  /// The command with a fault in the first message of weights that `rank` sends once the run has
  /// written `after`.
  static Words with_fault(const Words& words, const std::string& name, int rank,
                          const std::string& fault, const std::string& after = "metrics.jsonl") {
    Words all{"/usr/bin/env", fmt::format("FAULT_RANK={}", rank), "FAULT=" + fault,
              fmt::format("FAULT_TAG={}", weights_tag),
              "FAULT_AFTER=" + (file(name) / after).string()};
    all.insert(all.end(), words.begin(), words.end());
    const auto program = std::find(all.begin(), all.end(), PRECIS_PROGRAM);
    all.insert(program, {"/usr/bin/env", "LD_PRELOAD=" PRECIS_FAULT});
    return all;
  }

  static void expect_ended(const Outcome& outcome, const std::string& name) {
    EXPECT_NE(outcome.status, 0) << outcome.output;
    EXPECT_NE(outcome.status, 124) << "the job did not end\n" << outcome.output;
    EXPECT_FALSE(std::filesystem::exists(file(name) / "policy.h5"));
  }

  static std::unique_ptr<Fixture> fixture_;
};
std::unique_ptr<Fixture> PpoGridFaults::fixture_;

/// The last rank of each role, which no message of another role goes to, and the reward's only one.
constexpr int last_ranks[]{1, 2, 4};

TEST_F(PpoGridFaults, AStoppedRankOfAnyRoleIsNamed) {
  for (const int rank : last_ranks) {
    const std::string name = fmt::format("stopped_{}", rank);
    SCOPED_TRACE(name);
    Job job(long_run(name), fixture_->output_of(name));
    ASSERT_TRUE(wait_for_lines(job, file(name) / "metrics.jsonl", 2));
    job.signal_rank(rank, SIGSTOP);
    const Outcome outcome = job.wait(most_seconds);
    expect_ended(outcome, name);
    EXPECT_THAT(
        outcome.output,
        AllOf(ContainsRegex("has waited [0-9.]+ s in .* on '"),
              HasSubstr("longer than watchdog_seconds = 5"),
              ContainsRegex(fmt::format("rank {} \\(pid [^\n]* is stopped by a signal", rank))));
  }
}

TEST_F(PpoGridFaults, AKilledRankOfAnyRoleIsNamed) {
  for (const int rank : last_ranks) {
    const std::string name = fmt::format("killed_{}", rank);
    SCOPED_TRACE(name);
    Job job(long_run(name), fixture_->output_of(name));
    ASSERT_TRUE(wait_for_lines(job, file(name) / "metrics.jsonl", 2));
    job.signal_rank(rank, SIGKILL);
    const Outcome outcome = job.wait(most_seconds);
    expect_ended(outcome, name);
    EXPECT_THAT(outcome.output, ContainsRegex(fmt::format(
                                    "precis: rank {} \\(pid [0-9]+ on [^)]*\\) is gone before "
                                    "its work was done; .*its last operation, number [0-9]+",
                                    rank)));
  }
}

TEST_F(PpoGridFaults, ALearnerThatStopsWhileItSendsWeightsIsNamed) {
  const Outcome outcome =
      run(with_fault(long_run("stopped_sync"), "stopped_sync", 4, "stop:MPI_Isend"), most_seconds);
  expect_ended(outcome, "stopped_sync");
  EXPECT_THAT(
      outcome.output,
      AllOf(
          ContainsRegex("precis: rank [0-3] \\(pid [0-9]+ on [^)]*\\) has waited [0-9.]+ s in "),
          ContainsRegex("rank 4 \\(pid [^\n]* entered start of send to rank [01] on 'weight sync' "
                        "[^\n]* is stopped by a signal")));
}

TEST_F(PpoGridFaults, ALearnerThatIsKilledWhileItSendsWeightsIsNamed) {
  const Outcome outcome =
      run(with_fault(long_run("killed_sync"), "killed_sync", 4, "kill:MPI_Isend"), most_seconds);
  expect_ended(outcome, "killed_sync");
  EXPECT_THAT(
      outcome.output,
      ContainsRegex("precis: rank 4 \\(pid [0-9]+ on [^)]*\\) is gone before its work was "
                    "done; .*its last operation, number [0-9]+, was start of send to rank [01] "
                    "on 'weight sync'"));
}

/// Three ranks have the whole policy: the one that got another bit is named, and the run goes on
/// from its checkpoint as if nothing had happened.
TEST_F(PpoGridFaults, WeightsThatArriveWithAnotherBitAreFoundAndNamed) {
  const Words keys{"--placement",   "dedicated", "--rollout.grid",           "dp=2",
                   "--reward.grid", "dp=1",      "--learner.grid",           "dp=1",
                   "--ppo.batch",   "8",         "--checkpoint.every_steps", "1"};
  const Words words = fixture_->ppo("flipped", 4, keys);
  const Outcome outcome =
      run(with_fault(words, "flipped", 3, "flip:MPI_Isend", "checkpoints/step_000001.h5"),
          most_seconds);
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(
      outcome.output,
      AllOf(ContainsRegex("precis: [^\n]*The policy's weights of version 2 are not the same "
                          "everywhere \\(ppo.check_weights\\): [a-z0-9_/]+\\[[0-9:, ]+\\]: "
                          "rollout rank [01] has [0-9a-f]{16}; the others \\(2\\) have "),
            Not(HasSubstr("learner rank"))));
  EXPECT_EQ(lines_of(file("flipped") / "metrics.jsonl"), 1) << "no step has been made of them";
  EXPECT_FALSE(std::filesystem::exists(file("flipped") / "policy.h5"));

  for (const auto& run_words : {words, fixture_->ppo("undisturbed", 4, keys)}) {
    const Outcome whole = run(run_words, most_seconds);
    EXPECT_EQ(whole.status, 0) << whole.output;
  }
  expect_same_run(file("undisturbed"), file("flipped"), 3);
}

/// Stages of an untied model have no tensor in common. Nobody can say which of two is right.
TEST_F(PpoGridFaults, BothSidesAreNamedWhereTwoHaveWhatDiffers) {
  const Words words =
      fixture_->ppo("flipped_stage", 5,
                    {"--placement", "dedicated", "--rollout.grid", "pp=2", "--reward.grid", "dp=1",
                     "--learner.grid", "pp=2", "--policy", file("rotary_policy.h5"), "--reference",
                     "", "--reward", file("rotary_reward.h5")});
  const Outcome outcome =
      run(with_fault(words, "flipped_stage", 4, "flip:MPI_Isend"), most_seconds);
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(ContainsRegex("learner rank 4 has [0-9a-f]{16}"),
                                    ContainsRegex("rollout rank 1 has [0-9a-f]{16}"),
                                    Not(HasSubstr("the others"))));
}

}  // namespace
}  // namespace precis::test
