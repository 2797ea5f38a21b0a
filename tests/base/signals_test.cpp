#include "base/signals.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>

namespace precis {
namespace {

void no_matter(int) {}

TEST(StopSignals, FirstSignalSetsTheFlag) {
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) {
    const StopSignals stop(no_matter, false);
    EXPECT_EQ(stop.received(), 0);
    ASSERT_EQ(std::raise(signal), 0);
    EXPECT_EQ(stop.received(), signal);
  }
}

TEST(StopSignals, AreAcknowledgedWhileTheStepGoesOn) {
  std::promise<int> acknowledged;
  const StopSignals stop([&](int signal) { acknowledged.set_value(signal); }, false);
  auto signal = acknowledged.get_future();
  EXPECT_EQ(signal.wait_for(std::chrono::milliseconds(150)), std::future_status::timeout);
  ASSERT_EQ(std::raise(SIGTERM), 0);
  ASSERT_EQ(signal.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_EQ(signal.get(), SIGTERM);
}

TEST(StopSignals, FormerHandlersComeBack) {
  { const StopSignals stop(no_matter, false); }
  struct sigaction action {};
  ASSERT_EQ(sigaction(SIGTERM, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST(StopSignalsDeathTest, SecondSignalEndsTheProgram) {
  for (const bool speaks : {false, true}) {
    EXPECT_EXIT(
        {
          const StopSignals stop(no_matter, speaks);
          std::raise(SIGTERM);
          std::raise(SIGUSR1);
          std::_Exit(0);
        },
        testing::KilledBySignal(SIGUSR1),
        speaks ? "^precis: A second signal: ended without saving\\.\n$" : "^$");
  }
}

}  // namespace
}  // namespace precis
