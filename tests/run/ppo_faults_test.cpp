// One rank of four that fails, at each place where a rank can: its message is first, all end at
// once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "run/ppo_run.hpp"

namespace precis::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// Ranks 0 and 1 generate, 2 scores, 3 learns.
const std::vector<std::string> roles{"--placement",   "dedicated", "--rollout.grid", "dp=2",
                                     "--reward.grid", "dp=1",      "--learner.grid", "dp=1"};

struct Fault {
  std::string place;
  int rank;
  std::string what;   // as fault.c takes it
  bool in_a_step;     // not before the run has begun
  std::string cause;  // in the message
};

const Fault faults[]{
    {"keys", 2, "open:keys.cfg", false, "Cannot read the deck"},
    {"data", 1, "open:prompts.jsonl", false, "prompts.jsonl: cannot be opened"},
    {"model", 3, "open:reward.h5", false, "reward.h5"},
    {"run_folder", 0, "open:run_folder/lock", false, "run_folder/lock"},
    {"rollout", 1, "memory", true, "of host memory"},
    {"reward", 2, "memory", true, "of host memory"},
    {"learner", 3, "memory", true, "of host memory"},
    {"post", 1, "MPI_Isend", true, "MPI_Isend failed"},
    {"mailbox", 2, "MPI_Iprobe", true, "MPI_Iprobe failed"},
    {"agreement", 0, "MPI_Iallreduce", true, "MPI_Iallreduce failed"},
    {"report", 2, "MPI_Bcast", true, "MPI_Bcast failed"},
    {"checkpoint", 3, "write:step_000002", true, "step_000002.h5"},
    {"metrics", 0, "write:metrics.jsonl", true, "metrics.jsonl"},
    {"end", 3, "write:policy.h5", true, "policy.h5"},
};

/// The first line of precis; mpirun has words of its own.
std::string first_message(const std::string& output) {
  const auto at = output.find("precis: ");
  return at == std::string::npos ? "" : output.substr(at, output.find('\n', at) - at);
}

TEST(PpoFaults, ARankThatFailsAnywhereIsNamedAndEndsTheJob) {
  const Fixture fixture;
  std::ofstream(fixture / "keys.cfg") << "[checkpoint]\nevery_steps = 1\n";
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.place);
    std::vector<std::string> words = fixture.ppo(fault.place, 4, roles);
    const auto program = std::find(words.begin(), words.end(), PRECIS_PROGRAM);
    words.insert(program + 2, fixture / "keys.cfg");
    std::vector<std::string> all{"/usr/bin/env", "FAULT_RANK=" + std::to_string(fault.rank),
                                 "FAULT=" + fault.what};
    if (fault.in_a_step) {
      all.push_back("FAULT_AFTER=" + (fixture / fault.place / "metrics.jsonl").string());
    }
    all.insert(all.end(), words.begin(), words.end());
    const auto inner = std::find(all.begin(), all.end(), PRECIS_PROGRAM);
    all.insert(inner, {"/usr/bin/env", "LD_PRELOAD=" PRECIS_FAULT});
    const Outcome outcome = run(all, 30);
    // A deck is part of the command line.
    EXPECT_EQ(outcome.status, fault.place == "keys" ? 2 : 1) << outcome.output;
    const std::string message = first_message(outcome.output);
    // Rank 0's own errors need no rank.
    if (fault.rank != 0) {
      EXPECT_THAT(message, StartsWith(fmt::format("precis: rank {}: ", fault.rank)));
    }
    EXPECT_THAT(message, HasSubstr(fault.cause)) << outcome.output;
    EXPECT_FALSE(std::filesystem::exists(fixture / fault.place / "policy.h5"));
  }
}

/// Four ranks, of which the last finds another file under the same name.
TEST(PpoFaults, OtherModelsAndPromptsOfOneRankAreNamed) {
  const Fixture fixture;
  const std::vector<std::pair<std::string, std::string>> stale{
      {"policy", "reference.h5"},      {"reference", "policy.h5"},
      {"reward", "rotary_reward.h5"},  {"value", "rotary_reward.h5"},
      {"data.prompts", "stale.jsonl"}, {"data.valid", "stale.jsonl"}};
  // The same tokens under other names.
  std::string rows = text_of(fixture / "prompts.jsonl");
  const std::string id = "\"id\":\"";
  ASSERT_NE(rows.find(id), std::string::npos);
  std::ofstream(fixture / "stale.jsonl") << rows.insert(rows.find(id) + id.size(), "x");
  std::filesystem::create_directories(fixture / "node_a");
  std::filesystem::create_directories(fixture / "node_b");
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::copy_file(fixture / from, fixture / to,
                               std::filesystem::copy_options::overwrite_existing);
  };
  for (const std::string placement : {"colocated", "dedicated"}) {
    for (const auto& [key, other] : stale) {
      SCOPED_TRACE(key + ", " + placement);
      const bool is_model = !key.starts_with("data.");
      copy(!is_model ? "prompts.jsonl" : key == "value" ? "reward.h5" : key + ".h5", "node_a/file");
      copy(other, "node_b/file");
      std::vector<std::string> keys{"--" + key, "file", "--placement", placement};
      const std::vector<std::string> words = fixture.ppo("differs", 1, keys);
      std::vector<std::string> all{PRECIS_MPIEXEC, "--oversubscribe", "--bind-to", "none"};
      for (const auto& [ranks, folder] : {std::pair("3", "node_a"), std::pair("1", "node_b")}) {
        all.insert(all.end(), {"-n", ranks, "/usr/bin/env", "-C", fixture / folder});
        all.insert(all.end(), words.begin(), words.end());
        all.emplace_back(":");
      }
      all.pop_back();
      const Outcome outcome = run(all, 40);
      EXPECT_EQ(outcome.status, 1) << outcome.output;
      EXPECT_THAT(first_message(outcome.output),
                  testing::AllOf(StartsWith("precis: rank 3: The digest of "), HasSubstr(key),
                                 HasSubstr("on rank 0 (host ")));
    }
  }
}

}  // namespace
}  // namespace precis::test
