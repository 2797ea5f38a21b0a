#include "base/signals.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace precis {
namespace {

TEST(StopSignals, FirstSignalSetsTheFlag) {
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) {
    const StopSignals stop;
    EXPECT_EQ(stop.received(), 0);
    ASSERT_EQ(std::raise(signal), 0);
    EXPECT_EQ(stop.received(), signal);
  }
}

TEST(StopSignals, FormerHandlersComeBack) {
  { const StopSignals stop; }
  struct sigaction action {};
  ASSERT_EQ(sigaction(SIGTERM, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST(StopSignalsDeathTest, SecondSignalEndsTheProgram) {
  EXPECT_EXIT(
      {
        const StopSignals stop;
        std::raise(SIGTERM);
        std::raise(SIGUSR1);
        std::_Exit(0);
      },
      testing::KilledBySignal(SIGUSR1), "");
}

}  // namespace
}  // namespace precis
