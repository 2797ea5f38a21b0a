// A `ppo` run that is cut and continued is the same as an uncut one, to the bit.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "base/error.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

constexpr int steps = 12;

struct Placement {
  const char* name;
  int ranks;
  std::vector<std::string> keys;
};

void PrintTo(const Placement& of, std::ostream* out) { *out << of.name; }

class PpoRestart : public testing::TestWithParam<Placement> {
 protected:
  static void SetUpTestSuite() { fixture_ = std::make_unique<Fixture>(); }
  static void TearDownTestSuite() { fixture_.reset(); }

  static std::vector<std::string> words(const std::string& name,
                                        const std::vector<std::string>& more = {}) {
    std::vector<std::string> keys{"--train.steps",
                                  std::to_string(steps),
                                  "--ppo.mini_batches",
                                  "2",
                                  "--ppo.epochs",
                                  "2",
                                  "--ppo.kl_target",
                                  "1",
                                  "--ppo.kl_horizon",
                                  "100",
                                  "--ppo.samples_every",
                                  "2",
                                  "--checkpoint.every_steps",
                                  "3"};
    keys.insert(keys.end(), GetParam().keys.begin(), GetParam().keys.end());
    keys.insert(keys.end(), more.begin(), more.end());
    return fixture_->ppo(name, GetParam().ranks, keys);
  }
  static std::string name_of(const std::string& what) {
    return std::string(GetParam().name) + "_" + what;
  }
  static Path folder(const std::string& what) { return *fixture_ / name_of(what); }

  /// The folder of an uncut run.
  static Path whole() {
    if (!std::filesystem::exists(folder("whole"))) {
      const Outcome outcome = run(words(name_of("whole")));
      require(outcome.status == 0, "{}", outcome.output);
    }
    return folder("whole");
  }
  static void damage(const Path& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 2));
    file << "damage";
  }
  /// Runs to the end whatever was there.
  static void finish(const std::string& what) {
    const Outcome outcome = run(words(name_of(what)));
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    expect_same_run(whole(), folder(what), steps);
  }

  static std::unique_ptr<Fixture> fixture_;
};
std::unique_ptr<Fixture> PpoRestart::fixture_;

TEST_P(PpoRestart, AfterEachStopAfter) {
  for (int launch = 0; launch * 5 + 5 < steps; ++launch) {
    const Outcome outcome = run(words(name_of("stopped"), {"--train.stop_after", "5"}));
    EXPECT_EQ(outcome.status, 75) << outcome.output;
    EXPECT_EQ(lines_of(folder("stopped") / "metrics.jsonl"), 5 * (launch + 1));
  }
  finish("stopped");
}

TEST_P(PpoRestart, AfterSigterm) {
  Job job(words(name_of("ended")), fixture_->output_of(name_of("ended")));
  ASSERT_TRUE(wait_for_lines(job, folder("ended") / "metrics.jsonl", 2));
  job.signal_rank(GetParam().ranks - 1, SIGTERM);
  const Outcome outcome = job.wait();
  EXPECT_EQ(outcome.status, 75) << outcome.output;
  EXPECT_LT(lines_of(folder("ended") / "metrics.jsonl"), steps);
  finish("ended");
}

TEST_P(PpoRestart, AfterSigkillAtAnyTime) {
  std::mt19937 random(7);  // NOLINT: the moments are the same in every run of the test
  for (int kill = 0; kill < 3; ++kill) {
    Job job(words(name_of("killed")), fixture_->output_of(name_of("killed")));
    const int lines = std::min(steps - 2, lines_of(folder("killed") / "metrics.jsonl") + 2);
    ASSERT_TRUE(wait_for_lines(job, folder("killed") / "metrics.jsonl", lines));
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
    job.kill_all();
    EXPECT_NE(job.wait().status, 124);
  }
  finish("killed");
}

TEST_P(PpoRestart, AfterTheNewestCheckpointWasDamaged) {
  const Outcome stopped = run(words(name_of("damaged"), {"--train.stop_after", "6"}));
  EXPECT_EQ(stopped.status, 75) << stopped.output;
  damage(folder("damaged") / "checkpoints/step_000006.h5");
  const Outcome outcome = run(words(name_of("damaged")));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("step_000006.h5"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("step_000003.h5"), std::string::npos) << outcome.output;
  expect_same_run(whole(), folder("damaged"), steps);
}

/// Policy and value network come from the checkpoint alone: what they began with is not read again.
TEST_P(PpoRestart, WithoutTheWeightsThatWereTrained) {
  const Path policy = *fixture_ / name_of("policy.h5");
  const Path value = *fixture_ / name_of("value.h5");
  std::filesystem::copy_file(*fixture_ / "policy.h5", policy);
  std::filesystem::copy_file(*fixture_ / "reward.h5", value);
  const std::vector<std::string> models{"--policy", policy, "--value", value};
  std::vector<std::string> keys = models;
  keys.insert(keys.end(), {"--train.stop_after", "6"});
  EXPECT_EQ(run(words(name_of("reread"), keys)).status, 75);
  damage(policy);
  damage(value);
  EXPECT_EQ(run(words(name_of("unreadable"), models)).status, 1);
  const Outcome outcome = run(words(name_of("reread"), models));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  expect_same_run(whole(), folder("reread"), steps);
}

TEST_P(PpoRestart, SaysThatItIsComplete) {
  const Path run_folder = whole();
  const std::string before = text_of(run_folder / "metrics.jsonl");
  const auto written = std::filesystem::last_write_time(run_folder / "policy.h5");
  const Outcome again = run(words(name_of("whole"), {"--log.level", "info"}));
  EXPECT_EQ(again.status, 0);
  EXPECT_NE(again.output.find("is complete"), std::string::npos) << again.output;
  EXPECT_EQ(text_of(run_folder / "metrics.jsonl"), before);
  EXPECT_EQ(std::filesystem::last_write_time(run_folder / "policy.h5"), written);
}

TEST_P(PpoRestart, ResavesTheSameState) {
  const Path checkpoint = whole() / "checkpoints/step_000012.h5";
  const Path copy = whole() / "copy.h5";
  std::filesystem::copy_file(checkpoint, copy, std::filesystem::copy_options::overwrite_existing);
  const Outcome outcome = run(words(name_of("whole"), {"--checkpoint.resave", "true"}));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  const Outcome diff = run({PRECIS_PROGRAM, "inspect", checkpoint, "--diff", copy});
  EXPECT_EQ(diff.status, 0) << diff.output;
}

INSTANTIATE_TEST_SUITE_P(Placements, PpoRestart,
                         testing::Values(Placement{"one", 1, {}}, Placement{"colocated", 2, {}},
                                         Placement{"dedicated", 3, {"--placement", "dedicated"}}),
                         [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace precis::test
