// The main of test programs that run under mpirun: starts MPI, names the rank of each failure, and
// fails on all ranks if one has failed. Use EXPECT up to the last collective of a test, so that one
// failing rank does not hang the others.
#include <gtest/gtest.h>

#include <cstdio>

#include "parallel/mpi_test.hpp"
#include "parallel/watchdog.hpp"

namespace precis {

namespace {

MpiSession* session_of_tests = nullptr;

/// The only printer of the ranks above 0.
class FailurePrinter : public testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}

  void OnTestStart(const testing::TestInfo& test) override {
    name_ = std::string(test.test_suite_name()) + "." + test.name();
  }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed()) {
      std::fprintf(stderr, "rank %d: %s: %s:%d: %s\n", rank_, name_.c_str(),
                   result.file_name() != nullptr ? result.file_name() : "?", result.line_number(),
                   result.message());
    }
  }

 private:
  int rank_;
  std::string name_;
};

}  // namespace

MpiSession& test_session() { return *session_of_tests; }

}  // namespace precis

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  precis::MpiSession session;
  precis::session_of_tests = &session;
  const precis::Watchdog watchdog(session, 60.0);
  if (session.rank() > 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new precis::FailurePrinter(session.rank()));
  }
  const int result = RUN_ALL_TESTS();
  return static_cast<int>(precis::all_max(session.world(), std::int64_t{result}));
}
