// Whole PPO steps against PyTorch: the responses of tests/golden/rlhf are replayed, and metrics,
// final policy and final value network are what recompute_ppo.py found.
#include <gtest/gtest.h>

#include <cmath>

#include "model/evaluator.hpp"
#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using nlohmann::json;

constexpr double tolerance = 1e-4;

Path golden(const std::string& name) {
  return Path(PRECIS_SOURCE_DIR) / "tests/golden/rlhf" / name;
}

void expect_near(double found, double expected, const std::string& what) {
  EXPECT_NEAR(found, expected, tolerance * std::max(1.0, std::abs(expected))) << what;
}

void expect_metrics(const Rows& found, const json& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t step = 0; step < found.size(); ++step) {
    EXPECT_GE(expected[step].size(), 20U);
    for (const auto& [key, value] : expected[step].items()) {
      expect_near(found[step].at(key).get<double>(), value.get<double>(),
                  key + " of step " + std::to_string(step + 1));
    }
  }
}

struct Recorded {
  std::vector<std::int32_t> prompt, response;
};

/// The episodes of the last step.
std::vector<Recorded> last_episodes(const Path& file) {
  const Rows rows = read_rows(file);
  std::vector<Recorded> episodes;
  for (const json& row : rows) {
    if (row.at("step") == rows.back().at("step")) {
      episodes.push_back({row.at("prompt_ids").get<std::vector<std::int32_t>>(),
                          row.at("response_ids").get<std::vector<std::int32_t>>()});
    }
  }
  return episodes;
}

void expect_outputs(const std::vector<std::vector<float>>& found, const json& expected,
                    const char* key) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const json& tokens = expected[i].at(key);
    ASSERT_EQ(found[i].size(), tokens.size());
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      expect_near(static_cast<double>(found[i][t]), tokens[t].get<double>(),
                  std::string(key) + " of episode " + std::to_string(i));
    }
  }
}

void expect_models(const Path& run_folder, const std::vector<Recorded>& episodes,
                   double temperature, const json& expected) {
  std::vector<Sequence> sequences;
  for (const Recorded& e : episodes) {
    sequences.push_back({e.prompt, e.response});
  }
  Device device = open_device("cpu");
  const Model policy = load_model(device, run_folder / "policy.h5", {ModelKind::language});
  Evaluator of_policy(device, policy.config, policy.parameters, 1000);
  expect_outputs(of_policy.statistics(policy.parameters, sequences, temperature).logprobs, expected,
                 "logprobs");
  const Model value = load_model(device, run_folder / "value.h5", {ModelKind::value});
  Evaluator of_value(device, value.config, value.parameters, 1000);
  expect_outputs(of_value.values(value.parameters, sequences), expected, "values");
}

struct Case {
  std::string deck;
  int ranks;
  double temperature;
  std::vector<std::string> more;
};

void PrintTo(const Case& of, std::ostream* out) { *out << of.deck << " on " << of.ranks; }

class PpoGolden : public testing::TestWithParam<Case> {};

TEST_P(PpoGolden, AgreesWithPyTorch) {
  const auto& [deck, ranks, temperature, more] = GetParam();
  const TemporaryFolder folder;
  std::vector<std::string> words;
  if (ranks > 1) {
    words = {PRECIS_MPIEXEC, "--oversubscribe", "--bind-to", "none", "-n", std::to_string(ranks)};
  }
  const Path episodes = golden(deck + ".episodes.jsonl");
  words.insert(words.end(), {PRECIS_PROGRAM, "ppo", golden(deck + ".cfg"), "--policy",
                             golden("policy.h5"), "--reference", golden("reference.h5"), "--reward",
                             golden("reward.h5"), "--data.prompts", golden("prompts.jsonl"),
                             "--ppo.replay", episodes, "--run", folder / "run"});
  words.insert(words.end(), more.begin(), more.end());
  const Outcome outcome = run(words);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const json expected = json::parse(text_of(golden(deck + ".expected.json")));
  expect_metrics(read_rows(folder / "run/metrics.jsonl"), expected.at("steps"));
  expect_models(folder / "run", last_episodes(episodes), temperature, expected.at("outputs"));
}

INSTANTIATE_TEST_SUITE_P(
    Decks, PpoGolden,
    testing::Values(Case{"plain", 1, 1.0, {}}, Case{"variant", 1, 0.7, {}},
                    Case{"variant", 3, 0.7, {}},
                    Case{
                        "variant", 4, 0.7, {"--placement", "dedicated", "--learner.grid", "dp=2"}}),
    [](const auto& of) { return of.param.deck + "_on_" + std::to_string(of.param.ranks); });

}  // namespace
}  // namespace precis::test
