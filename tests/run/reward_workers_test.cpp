// Labelers from their comparisons to weights in reward training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int stopped_early = 75;

const TrainingFixture& f() { return training_fixture(); }

/// The fixture's comparisons, each judged by ann, bob and cal, who are sometimes wrong, and by eve,
/// who says the contrary; and the weights of the audit.
class RewardWorkers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::ofstream file(f() / "judged.jsonl");
    int number = 0;
    for (auto row : read_rows(f() / "comparisons.jsonl")) {
      ++number;
      const int choice = row["choice"];
      for (const auto& [worker, wrong] :
           {std::pair("ann", number % 9 == 0), std::pair("bob", number % 7 == 0),
            std::pair("cal", number % 4 == 0), std::pair("eve", number % 11 != 0)}) {
        row["worker"] = worker;
        row["choice"] = wrong ? 1 - choice : choice;
        file << row.dump() << "\n";
      }
    }
    file.close();
    audit_output =
        succeed(f().command({"label", "audit", "--input", f() / "judged.jsonl", "--weights",
                             f() / "weights.json", "--json", f() / "audit.json", "--consensus",
                             f() / "consensus.jsonl", "--sheets", f() / "sheets"}))
            .output;
  }
  static Words reward(const std::string& run, Words more = {}, int ranks = 1) {
    more.insert(more.begin(), {"--data.train", f() / "judged.jsonl", "--data.worker_weights",
                               f() / "weights.json"});
    return f().reward(run, more, ranks);
  }
  static inline std::string audit_output;
};

TEST_F(RewardWorkers, TheAuditWritesWhatItFinds) {
  EXPECT_THAT(audit_output, AllOf(HasSubstr("eve is worse than chance"),
                                  HasSubstr("Agreement of the labelers with the others' majority"),
                                  HasSubstr("gold")));
  const auto weights = nlohmann::json::parse(text_of(f() / "weights.json")).at("weights");
  EXPECT_EQ(weights.at("eve"), 0);
  EXPECT_GT(weights.at("ann"), weights.at("cal"));
  const auto audit = nlohmann::json::parse(text_of(f() / "audit.json"));
  EXPECT_EQ(audit.at("format"), "precis audit 1");
  const auto rows = read_rows(f() / "consensus.jsonl");
  EXPECT_EQ(rows.size(), audit.at("pairs"));
  EXPECT_EQ(rows[0].at("votes")[0].get<int>() + rows[0].at("votes")[1].get<int>(), 4);
  EXPECT_TRUE(std::filesystem::exists(f() / "sheets/sheet-04-eve.html"));
}

TEST_F(RewardWorkers, CutAndContinuedEqualsAnUncutRunAndOtherWeightsAreRefused) {
  const Outcome whole = succeed(reward("weighted"));
  EXPECT_THAT(whole.output, HasSubstr("of workers with weight 0"));
  EXPECT_EQ(run(reward("weighted_cut", {"--train.stop_after", "5"})).status, stopped_early);
  std::ofstream(f() / "others.json")
      << R"({"format": "precis worker weights 1", "weights": {"ann": 1, "bob": 1, "cal": 0.5, "eve": 0}})";
  const Outcome refused =
      run(reward("weighted_cut", {"--data.worker_weights", f() / "others.json"}));
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.output, HasSubstr("something else: data.worker_weights"));
  succeed(reward("weighted_cut"));
  expect_same_training(f() / "weighted", f() / "weighted_cut", 12);
  succeed(reward("weighted_two", {"--train.steps", "2"}, 2));
  const auto one = read_rows(f() / "weighted/metrics.jsonl");
  const auto two = read_rows(f() / "weighted_two/metrics.jsonl");
  for (const char* key : {"loss", "accuracy", "gradient_norm"}) {
    EXPECT_NEAR(one[0].at(key).get<double>(), two[0].at(key).get<double>(), 1e-5) << key;
  }
}

TEST_F(RewardWorkers, ExcludedWorkersLeaveTheRunThatWouldBeWithoutThem) {
  std::ofstream file(f() / "without_eve.jsonl");
  for (const auto& row : read_rows(f() / "judged.jsonl")) {
    if (row["worker"] != "eve") {
      file << row.dump() << "\n";
    }
  }
  file.close();
  succeed(reward("without_eve", {"--data.train", f() / "without_eve.jsonl"}));
  const Outcome excluded = succeed(reward("excluded_eve", {"--data.exclude_workers", "eve"}));
  EXPECT_THAT(excluded.output, HasSubstr("of excluded workers"));
  expect_same_training(f() / "without_eve", f() / "excluded_eve", 12);
}

TEST_F(RewardWorkers, AWorkerWithoutAWeightIsNamed) {
  std::ofstream(f() / "few.json")
      << R"({"format": "precis worker weights 1", "weights": {"ann": 1, "bob": 1}})";
  const Outcome refused = run(reward("refused", {"--data.worker_weights", f() / "few.json"}));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("no weight for its worker \"cal\""));
  EXPECT_FALSE(std::filesystem::exists(f() / "refused"));
}

TEST_F(RewardWorkers, TheAuditRefusesWhatItCannotUse) {
  const auto refuse = [&](int status, const std::string& message, const Words& more) {
    Words words{"label", "audit", "--input", f() / "judged.jsonl", "--json", f() / "out.json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run(f().command(words));
    EXPECT_EQ(outcome.status, status) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(message));
    EXPECT_FALSE(std::filesystem::exists(f() / "out.json"));
  };
  refuse(2, "Did you mean ann?", {"--researchers", "anne"});
  refuse(1, "judged.jsonl:1: the fields `pair`", {"--rewards", f() / "judged.jsonl"});
  refuse(1, "a file of that name exists", {"--sheets", f() / "weights.json"});
}

}  // namespace
}  // namespace precis::test
