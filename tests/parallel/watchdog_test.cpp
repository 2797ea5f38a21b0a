// Starts small jobs in which a rank is stuck, stopped or gone, and reads what they say and how they
// end. A job that the watchdog does not end is ended by timeout (status 124).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parallel/progress_record.hpp"
#include "support/shell.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

Outcome run_job(const std::string& how, int ranks, double seconds,
                const std::string& keys = "--bind-to none") {
  return shell(fmt::format("timeout -k 5 45 '{}' --oversubscribe {} -n {} '{}' {} {}",
                           PRECIS_MPIEXEC, keys, ranks, PRECIS_STUCK_RANK, how, seconds));
}

void expect_one_report(const Outcome& job) {
  EXPECT_NE(job.status, 0) << job.output;
  EXPECT_NE(job.status, 124) << "the watchdog did not end the job\n" << job.output;
  EXPECT_EQ(count_of(job.output, "precis: rank"), 1) << job.output;
}

TEST(Watchdog, NamesAStoppedRankAndEndsTheJob) {
  const Outcome job = run_job("stopped", 3, 1.5);
  expect_one_report(job);
  EXPECT_EQ(job.status, 1);
  EXPECT_THAT(job.output,
              AllOf(HasSubstr("precis: rank 0 (pid "), HasSubstr("in all-reduce on 'world'"),
                    HasSubstr("watchdog_seconds = 1.5"), HasSubstr("rank 1 (pid "),
                    HasSubstr("is in 'ppo update' without a sign of life"),
                    HasSubstr("stopped by a signal"), HasSubstr("was barrier on 'world'")));
  EXPECT_THAT(job.output, Not(HasSubstr("rank 2 (pid")));
}

TEST(Watchdog, NamesAKilledRankBeforeTheOthersAreEnded) {
  // The limit is far away: a rank that is gone is noticed at once.
  const Outcome job = run_job("killed", 3, 1000.0);
  expect_one_report(job);
  EXPECT_THAT(job.output, AllOf(ContainsRegex("precis: rank 1 \\(pid [0-9]+ on .*\\) is gone"),
                                HasSubstr("it was last in 'ppo update'"),
                                HasSubstr("while waiting in all-reduce on 'world'")));
}

TEST(Watchdog, NamesARankThatComputesWithoutTicks) {
  const Outcome job = run_job("silent", 2, 1.0);
  expect_one_report(job);
  EXPECT_EQ(job.status, 1);
  EXPECT_THAT(job.output, AllOf(HasSubstr("rank 1 (pid "), HasSubstr("without a sign of life"),
                                Not(HasSubstr("stopped by a signal"))));
}

TEST(Watchdog, NamesTheOperationsOfADeadlock) {
  const Outcome job = run_job("deadlock", 2, 1.0);
  expect_one_report(job);
  EXPECT_EQ(job.status, 1);
  EXPECT_THAT(job.output,
              AllOf(HasSubstr("in all-reduce on 'world'"),
                    HasSubstr("receive from rank 0 on 'world'"), HasSubstr("wait for each other")));
}

TEST(Watchdog, NamesARankThatHasLeft) {
  const Outcome job = run_job("left", 2, 1.0);
  expect_one_report(job);
  EXPECT_EQ(job.status, 1);
  EXPECT_THAT(job.output, AllOf(HasSubstr("receive from rank 1"),
                                HasSubstr("barrier on 'end of the command'")));
}

TEST(Watchdog, IsSilentOverARankThatEndsForAReasonThatItHasTold) {
  const Outcome job = run_job("ended", 3, 1000.0);
  EXPECT_EQ(job.status, 75) << job.output;
  EXPECT_THAT(job.output, Not(HasSubstr("precis: rank")));
}

TEST(Watchdog, EndsTheRanksThatALauncherLeavesWhenOneHasEnded) {
  // With recovery mpirun leaves the others, and ends with 0 in any case.
  const Outcome job = run_job("ended", 2, 1000.0, "--enable-recovery");
  EXPECT_NE(job.status, 124) << job.output;
  EXPECT_EQ(count_of(job.output, "precis: rank"), 1) << job.output;
  EXPECT_THAT(job.output, AllOf(HasSubstr("precis: rank 1 (pid "), HasSubstr("has ended the job")));
}

TEST(Watchdog, WaitsForASlowRankThatTicks) {
  const Outcome job = run_job("slow", 2, 0.7);
  EXPECT_EQ(job.status, 0) << job.output;
  EXPECT_EQ(job.output, "");
}

TEST(Watchdog, IsSilentOverAnErrorThatHasItsOwnMessage) {
  const Outcome job = run_job("local_error", 3, 1000.0);
  EXPECT_EQ(job.status, 1);
  EXPECT_EQ(count_of(job.output, "precis:"), 1) << job.output;
}

TEST(Watchdog, IsSilentOverAnAgreedError) {
  const Outcome job = run_job("agreed_error", 3, 1000.0);
  EXPECT_EQ(job.status, 2);
  EXPECT_EQ(count_of(job.output, "precis:"), 1) << job.output;
  EXPECT_THAT(job.output, HasSubstr("precis: the grid of rank 1 is wrong"));
}

TEST(ProcessState, TellsRunningStoppedAndGone) {
  EXPECT_EQ(state_of(this_process()), ProcessState::running);
  ProcessIdentity successor = this_process();
  ++successor.start_time;  // the same pid, given to a later process
  EXPECT_EQ(state_of(successor), ProcessState::gone);
  ProcessIdentity elsewhere = this_process();
  ++elsewhere.pid_namespace;
  EXPECT_EQ(state_of(elsewhere), ProcessState::unknown);
}

TEST(SharedText, IsCutToItsLength) {
  SharedText text;
  EXPECT_EQ(text.load(), "");
  text.store("all-reduce");
  EXPECT_EQ(text.load(), "all-reduce");
  text.store(std::string(200, 'x'));
  EXPECT_EQ(text.load(), std::string(63, 'x'));
  text.store("");
  EXPECT_EQ(text.load(), "");
}

}  // namespace
}  // namespace precis
