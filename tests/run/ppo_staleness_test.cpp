// `ppo` runs in which the next batch is generated while the learner learns: the same on every
// placement, and cut anywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

constexpr int steps = 6;

Fixture& f() {
  static Fixture fixture;
  return fixture;
}

struct Placed {
  const char* name;
  int ranks;
  std::vector<std::string> keys;
};

const std::vector<Placed>& placements() {
  static const std::vector<Placed> all{
      {"dedicated", 4, {"--placement", "dedicated", "--rollout.grid", "tp=2"}},
      {"roles",
       8,
       {"--placement", "dedicated", "--rollout.grid", "dp=2,pp=2", "--reward.grid", "tp=2",
        "--learner.grid", "dp=2"}},
      {"colocated",
       4,
       {"--rollout.grid", "dp=2,tp=2", "--reward.grid", "dp=2,pp=2", "--learner.grid",
        "dp=2,tp=2"}},
      {"mixed", 4, {"--rollout.grid", "dp=4", "--learner.grid", "dp=2,pp=2"}}};
  return all;
}

std::vector<std::string> words(const std::string& name, const Placed& placed,
                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> keys{"--train.steps",
                                std::to_string(steps),
                                "--ppo.staleness",
                                "1",
                                "--ppo.mini_batches",
                                "2",
                                "--ppo.epochs",
                                "2",
                                "--exact.data_parts",
                                "2",
                                "--ppo.log_episodes",
                                "8",
                                "--ppo.samples_every",
                                "2",
                                "--checkpoint.every_steps",
                                "1",
                                "--checkpoint.keep",
                                "100"};
  keys.insert(keys.end(), placed.keys.begin(), placed.keys.end());
  keys.insert(keys.end(), more.begin(), more.end());
  return f().ppo(name, placed.ranks, keys);
}

/// The folder of an uncut run on one rank.
Path whole() {
  static const Outcome outcome = run(words("whole", {"whole", 1, {}}));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  return f() / "whole";
}

TEST(PpoStaleness, IsTheSameOnEveryPlacement) {
  for (const Placed& placed : placements()) {
    SCOPED_TRACE(placed.name);
    const Outcome outcome = run(words(placed.name, placed));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    expect_same_run(whole(), f() / placed.name, steps);
  }
}

/// The log-probs that are recorded are those of the checkpoint two steps before, to the bit.
TEST(PpoStaleness, SamplesFromTheWeightsBeforeTheLastUpdate) {
  for (const auto& row : read_rows(whole() / "metrics.jsonl")) {
    const int step = row.at("step");
    EXPECT_EQ(row.at("weight_version"), std::max(0, step - 2));
    EXPECT_EQ(row.at("logprob_gap_max") > 0, step > 1) << "step " << step;
  }
  const int step = 4;
  Rows of_step;
  for (const auto& row : read_rows(whole() / "episodes.jsonl")) {
    EXPECT_EQ(row.at("logprobs"), row.at("rollout_logprobs"));
    EXPECT_EQ(row.at("weight_version"), std::max(0, row.at("step").get<int>() - 2));
    if (row.at("step") == step) {
      of_step.push_back(row);
    }
  }
  ASSERT_EQ(of_step.size(), 8U);
  {
    std::ofstream rows(f() / "rows.jsonl");
    for (const auto& row : of_step) {
      rows << nlohmann::json{{"prompt_ids", row.at("prompt_ids")},
                             {"response_ids", row.at("response_ids")}}
                  .dump()
           << "\n";
    }
  }
  const auto scored = [&](int version) {
    const Path out = f() / ("scores_" + std::to_string(version) + ".jsonl");
    const Path model = whole() / "checkpoints" / ("step_00000" + std::to_string(version) + ".h5");
    const Outcome outcome = run({PRECIS_PROGRAM, "score", "--model", model, "--part", "policy",
                                 "--input", f() / "rows.jsonl", "--output", out});
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return read_rows(out);
  };
  const Rows behaviour = scored(step - 2);
  const Rows newer = scored(step - 1);
  for (std::size_t i = 0; i < of_step.size(); ++i) {
    EXPECT_EQ(behaviour[i].at("logprobs"), of_step[i].at("rollout_logprobs"));
    EXPECT_NE(newer[i].at("logprobs"), of_step[i].at("rollout_logprobs"));
  }
}

TEST(PpoStaleness, CutAndContinuedIsTheSame) {
  // Each launch on another layout than the one before.
  std::vector<Placed> launches{{"one", 1, {}}};
  launches.insert(launches.end(), placements().begin(), placements().end());
  for (const Placed& placed : launches) {
    const Outcome outcome = run(words("cut", placed, {"--train.stop_after", "1"}));
    EXPECT_EQ(outcome.status, 75) << placed.name << ": " << outcome.output;
  }
  const Outcome outcome = run(words("cut", placements()[0]));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  expect_same_run(whole(), f() / "cut", steps);
}

TEST(PpoStaleness, EndedAndKilledAndContinuedIsTheSame) {
  for (const Placed& placed : {placements()[0], placements()[2]}) {
    SCOPED_TRACE(placed.name);
    const std::string name = std::string("ended_") + placed.name;
    {
      Job job(words(name, placed), f().output_of(name));
      ASSERT_TRUE(wait_for_lines(job, f() / name / "metrics.jsonl", 1));
      job.signal_rank(0, SIGTERM);
      const Outcome outcome = job.wait();
      EXPECT_EQ(outcome.status, 75) << outcome.output;
    }
    {
      Job job(words(name, placed), f().output_of(name));
      ASSERT_TRUE(wait_for_lines(job, f() / name / "metrics.jsonl", 3));
      job.kill_all();
      EXPECT_NE(job.wait().status, 124);
    }
    const Outcome outcome = run(words(name, placed));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    expect_same_run(whole(), f() / name, steps);
  }
}

TEST(PpoStaleness, CorrectionsAreTheSameOnEveryPlacement) {
  for (const auto& [correction, level] :
       {std::pair{"truncate", "token"}, {"mask", "sequence"}, {"mask", "token"}}) {
    SCOPED_TRACE(std::string(correction) + ", " + level);
    const std::vector<std::string> keys{"--ppo.correction",       correction,
                                        "--ppo.correction_level", level,
                                        "--ppo.correction_cap",   "1.05"};
    const std::string name = std::string(correction) + "_" + level;
    const Placed places[]{{"one", 1, {}}, placements()[0]};
    for (const Placed& placed : places) {
      const Outcome outcome = run(words(name + placed.name, placed, keys));
      EXPECT_EQ(outcome.status, 0) << outcome.output;
    }
    expect_same_run(f() / (name + "one"), f() / (name + "dedicated"), steps);
    double clamped = 0;
    for (const auto& row : read_rows(f() / (name + "one") / "metrics.jsonl")) {
      const bool stale = row.at("step") > 1;
      EXPECT_EQ(row.at("correction_mean") != 1.0, stale) << row.at("step");
      EXPECT_GE(row.at("correction_max"), row.at("correction_mean"));
      clamped += row.at("correction_clamped_fraction").get<double>();
    }
    EXPECT_GT(clamped, 0) << "the cap is low";
    for (const auto& row : read_rows(f() / (name + "one") / "episodes.jsonl")) {
      EXPECT_EQ(row.at("logprobs") == row.at("rollout_logprobs"), row.at("step") == 1)
          << "the ratio refers to the learner's own";
    }
  }
}

/// Nothing of a batch that is under way is waited for.
TEST(PpoStaleness, EndsWhereNoFurtherBatchIsNeeded) {
  const Placed& placed = placements()[0];
  ASSERT_EQ(run(words("finished", placed)).status, 0);
  std::filesystem::remove(f() / "finished" / "value.h5");
  const Outcome again = run(words("finished", placed));
  EXPECT_EQ(again.status, 0) << again.output;
  expect_same_run(whole(), f() / "finished", steps);

  const Outcome guarded = run(words("guarded", placed, {"--ppo.max_kl", "1e-6"}));
  EXPECT_EQ(guarded.status, 1) << guarded.output;
  EXPECT_THAT(guarded.output, testing::HasSubstr("ppo.max_kl allows"));
  expect_one_message(guarded);
}

TEST(PpoStaleness, IsReplayedToTheBit) {
  const Outcome outcome =
      run(words("replayed", placements()[0], {"--ppo.replay", whole() / "episodes.jsonl"}));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  for (const char* file : {"policy.h5", "value.h5"}) {
    const Outcome diff =
        run({PRECIS_PROGRAM, "inspect", whole() / file, "--diff", f() / "replayed" / file});
    EXPECT_EQ(diff.status, 0) << diff.output;
  }
}

}  // namespace
}  // namespace precis::test
