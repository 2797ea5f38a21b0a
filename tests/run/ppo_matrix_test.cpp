// Every layout of up to six ranks: the same tokens, and losses that agree.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

struct Layout {
  int ranks = 1;
  std::string text;
  std::vector<std::string> keys;
};

std::vector<Layout> layouts() {
  std::vector<Layout> all;
  for (int ranks = 1; ranks <= 6; ++ranks) {
    all.push_back({ranks, fmt::format("colocated on {}", ranks), {}});
  }
  for (int rollout = 1; rollout <= 3; ++rollout) {
    for (int reward = 1; reward <= 2; ++reward) {
      for (int learner = 1; learner <= 3; ++learner) {
        const int ranks = rollout + reward + learner;
        if (ranks <= 6) {
          all.push_back(
              {ranks,
               fmt::format("dedicated {} {} {}", rollout, reward, learner),
               {"--placement", "dedicated", "--rollout.grid", fmt::format("dp={}", rollout),
                "--reward.grid", fmt::format("dp={}", reward), "--learner.grid",
                fmt::format("dp={}", learner)}});
        }
      }
    }
  }
  return all;
}

TEST(PpoMatrix, EveryLayoutAndSplit) {
  const Fixture fixture;
  const std::vector<std::string> common{"--ppo.mini_batches", "2", "--ppo.batch", "10",
                                        "--ppo.log_episodes", "10"};
  ASSERT_EQ(run(fixture.ppo("one", 1, common)).status, 0);
  const std::string episodes = fixture / "one/episodes.jsonl";
  const Rows expected = read_rows(episodes);
  int number = 0;
  for (const Layout& layout : layouts()) {
    for (const char* micro_batch_tokens : {"100", "350", "100000"}) {
      for (const bool replay : {false, true}) {
        SCOPED_TRACE(fmt::format("{}, {} tokens, {}", layout.text, micro_batch_tokens,
                                 replay ? "replay" : "sampled"));
        std::vector<std::string> keys = common;
        keys.insert(keys.end(), layout.keys.begin(), layout.keys.end());
        keys.insert(keys.end(),
                    {"--train.micro_batch_tokens", micro_batch_tokens, "--reward.group",
                     std::to_string(1 + number % 5), "--ppo.replay", replay ? episodes : ""});
        const std::string name = fmt::format("run_{}", number++);
        const Outcome outcome = run(fixture.ppo(name, layout.ranks, keys));
        ASSERT_EQ(outcome.status, 0) << outcome.output;
        if (replay) {
          expect_close_metrics(fixture / "one", fixture / name, 1e-5);
        } else {
          const Rows found = read_rows((fixture / name) / "episodes.jsonl");
          ASSERT_EQ(found.size(), expected.size());
          for (std::size_t i = 0; i < 10; ++i) {
            EXPECT_EQ(found[i], expected[i]) << "episode " << i << " of the first step";
          }
        }
        std::filesystem::remove_all(fixture / name);
      }
    }
  }
}

}  // namespace
}  // namespace precis::test
