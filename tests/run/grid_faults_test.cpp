// One rank of two that is stopped or killed inside an operation of tensor, pipeline or data
// parallelism: the job ends, and names the rank and the operation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "run/training_run.hpp"

namespace precis::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const TrainingFixture& f() { return training_fixture(); }

/// How many seconds a job is given, with the watchdog's five: for its start and for the patience
/// that the watchdog has with mpirun.
constexpr double most_seconds = 90;

/// A run that nothing else ends, whose rank 1 meets the fault when it sends something once the
/// steps have begun: in a training that is of the axis along which the grid has two ranks.
Outcome run_with(const std::string& fault, const std::string& axis) {
  const std::string name = fault + "_" + axis;
  const Words run_words =
      f().sft(name,
              {"--grid", axis + "=2", "--train.steps", "100000", "--train.valid_every", "0",
               "--watchdog_seconds", "5", "--log.level", "warning"},
              2);
  Words words{"/usr/bin/env", "FAULT_RANK=1", "FAULT=" + fault + ":MPI_Isend",
              "FAULT_AFTER=" + (f() / name / "metrics.jsonl").string()};
  words.insert(words.end(), run_words.begin(), run_words.end());
  const auto program = std::find(words.begin(), words.end(), PRECIS_PROGRAM);
  words.insert(program, {"/usr/bin/env", "LD_PRELOAD=" PRECIS_FAULT});
  Outcome outcome = run(words, most_seconds);
  EXPECT_NE(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.status, 124) << "the job did not end\n" << outcome.output;
  EXPECT_FALSE(std::filesystem::exists(f() / name / "model.h5"));
  return outcome;
}

class GridFaults : public testing::TestWithParam<const char*> {};

TEST_P(GridFaults, AStoppedRankIsNamedWithWhatTheOtherWaitsFor) {
  const std::string axis = GetParam();
  const Outcome outcome = run_with("stop", axis);
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(
      outcome.output,
      AllOf(ContainsRegex("precis: rank 0 \\(pid [0-9]+ on [^)]*\\) has waited [0-9.]+ s in "
                          "[^'\n]+ on 'training\\." +
                          axis + "' \\(operation [0-9]+\\), longer than watchdog_seconds = 5"),
            ContainsRegex("rank 1 \\(pid [^\n]* is stopped by a signal"),
            ContainsRegex("rank 1 \\(pid [^\n]* on 'training\\." + axis + "'")));
}

TEST_P(GridFaults, AKilledRankIsNamedWithItsLastOperation) {
  const std::string axis = GetParam();
  const Outcome outcome = run_with("kill", axis);
  EXPECT_THAT(outcome.output,
              ContainsRegex("precis: rank 1 \\(pid [0-9]+ on [^)]*\\) is gone before its work was "
                            "done; .*its last operation, number [0-9]+, was [^'\n]+ on "
                            "'training\\." +
                            axis + "'"));
}

INSTANTIATE_TEST_SUITE_P(AllAxes, GridFaults, testing::Values("tp", "pp", "dp"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace precis::test
