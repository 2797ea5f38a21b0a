// Small jobs whose ranks do not agree on the size of an operation: each ends, and says which one it
// was. A job that does not end is ended by timeout (status 124).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "support/shell.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

/// Elements of four bytes on rank 0 and on rank 1.
constexpr std::pair<std::int64_t, std::int64_t> sizes[]{
    {1212, 1200}, {12, 120'000}, {120'000, 12}, {120'000, 120'012}};

Outcome run_operation(const std::string& operation, std::int64_t of_first, std::int64_t of_others,
                      int watchdog_seconds) {
  return shell(fmt::format(
      "timeout -k 5 45 '{}' --oversubscribe --bind-to none -n 2 '{}' '{}' {} {} {}", PRECIS_MPIEXEC,
      PRECIS_STUCK_RANK, operation, watchdog_seconds, of_first, of_others));
}

/// That the job ends with one message, and without a result.
void expect_refused(const std::string& operation, const std::string& name) {
  for (const auto& [of_first, of_others] : sizes) {
    SCOPED_TRACE(fmt::format("{} of {} and {} elements", operation, of_first, of_others));
    const Outcome job = run_operation(operation, of_first, of_others, 30);
    EXPECT_EQ(job.status, 1);
    EXPECT_EQ(count_of(job.output, "precis: rank"), 1) << job.output;
    EXPECT_THAT(job.output, ContainsRegex("precis: rank [01]: " + name +
                                          " on 'training.tp': the ranks gave views of different "
                                          "sizes, "));
    EXPECT_THAT(job.output, Not(HasSubstr("has a result")));
  }
}

TEST(SizeJobs, ABroadcastEnds) { expect_refused("broadcast", "Broadcast"); }

/// Open MPI 4.1 may write beyond a view that is too short before it says so: then the rank may say
/// it, be gone, or stand still.
TEST(SizeJobs, MessagesAndStartedCollectivesEnd) {
  for (const char* const operation :
       {"message", "tree sum", "started broadcast", "started all-reduce", "started all-gather",
        "started reduce-scatter"}) {
    for (const auto& [of_first, of_others] : {sizes[1], sizes[2]}) {
      SCOPED_TRACE(fmt::format("{} of {} and {} elements", operation, of_first, of_others));
      const Outcome job = run_operation(operation, of_first, of_others, 2);
      EXPECT_NE(job.status, 0);
      EXPECT_NE(job.status, 124);
      EXPECT_THAT(job.output,
                  ContainsRegex("precis: rank [01]( \\(pid |: [A-Z]).*on 'training\\.tp'"));
      EXPECT_THAT(job.output, Not(HasSubstr("rank 1 has a result")));
    }
  }
}

TEST(SizeJobs, ATreeSumThatIsLongerByAWholeBlockIsEndedByTheWatchdog) {
  // Sums are formed 4 Mi elements at a time.
  const Outcome job = run_operation("tree sum", (4 << 20) + 12, 4 << 20, 2);
  EXPECT_EQ(job.status, 1);
  EXPECT_THAT(job.output, ContainsRegex("precis: rank [01] .*has waited"));
  EXPECT_THAT(job.output, AllOf(HasSubstr("rank 0 (pid "), HasSubstr("rank 1 on 'training.tp'"),
                                HasSubstr("rank 1 (pid "), HasSubstr("barrier on 'world'")));
}

}  // namespace
}  // namespace precis
