#include "base/signals.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace precis {
namespace {

using namespace std::chrono_literals;

/// The requests that a StopSignals has told of.
class Requests {
 public:
  void add(const StopSignals::Request& request) {
    const std::lock_guard lock(mutex_);
    all_.push_back(request);
    changed_.notify_all();
  }
  /// Waits for so many; fewer if they do not come.
  std::vector<StopSignals::Request> first(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 10s, [&] { return all_.size() >= count; });
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StopSignals::Request> all_;
};

void say(int signal) { std::fprintf(stderr, "ended by %s\n", signal_name(signal)); }

TEST(StopSignals, EachKindIsARequest) {
  for (const int signal : ending_signals) {
    Requests requests;
    const StopSignals stop([&](const StopSignals::Request& request) { requests.add(request); },
                           say);
    EXPECT_EQ(stop.received(), 0);
    ASSERT_EQ(std::raise(signal), 0);
    const auto told = requests.first(1);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].signal, signal);
    EXPECT_TRUE(told[0].first);
    EXPECT_EQ(stop.received(), signal);
  }
}

TEST(StopSignals, OfSeveralKindsAreOneRequest) {
  Requests requests;
  const StopSignals stop([&](const StopSignals::Request& request) { requests.add(request); }, say);
  for (const int signal : ending_signals) {
    ASSERT_EQ(std::raise(signal), 0);
  }
  const auto told = requests.first(ending_signals.size());
  ASSERT_EQ(told.size(), ending_signals.size());
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].signal, ending_signals[i]);
    EXPECT_EQ(told[i].first, i == 0);
  }
  EXPECT_EQ(stop.received(), ending_signals[0]);
}

TEST(StopSignals, OneThatComesTwiceAtTheSameTimeIsOne) {
  Requests requests;
  const StopSignals stop([&](const StopSignals::Request& request) { requests.add(request); }, say);
  for (const int signal : {SIGTERM, SIGTERM, SIGUSR1}) {
    ASSERT_EQ(std::raise(signal), 0);
  }
  EXPECT_EQ(requests.first(2).size(), 2U);
}

TEST(StopSignals, FormerHandlersComeBack) {
  {
    const StopSignals stop([](const StopSignals::Request&) {}, say);
  }
  struct sigaction action {};
  for (const int signal : ending_signals) {
    ASSERT_EQ(sigaction(signal, nullptr, &action), 0);
    EXPECT_EQ(action.sa_handler, SIG_DFL);
  }
}

TEST(StopSignals, WhatWasIgnoredStaysIgnored) {
  std::signal(SIGHUP, SIG_IGN);
  {
    const StopSignals stop([](const StopSignals::Request&) {}, say);
    struct sigaction action {};
    ASSERT_EQ(sigaction(SIGHUP, nullptr, &action), 0);
    EXPECT_EQ(action.sa_handler, SIG_IGN);
  }
  std::signal(SIGHUP, SIG_DFL);
}

/// Raises one signal, and after a time another, in a program that runs on for a while.
void raise_both(int first, std::chrono::milliseconds between, int second) {
  Requests requests;
  const StopSignals stop([&](const StopSignals::Request& request) { requests.add(request); }, say);
  std::raise(first);
  (void)requests.first(1);
  std::this_thread::sleep_for(between);
  std::raise(second);
  std::this_thread::sleep_for(300ms);
  std::_Exit(0);
}

TEST(StopSignalsDeathTest, OnlyTheSameKindSoonAgainEndsTheProgram) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
    EXPECT_EXIT(raise_both(signal, 300ms, signal), testing::KilledBySignal(signal),
                "^ended by SIG");
  }
  EXPECT_EXIT(raise_both(SIGUSR1, 300ms, SIGTERM), testing::ExitedWithCode(0), "^$");
  EXPECT_EXIT(raise_both(SIGXCPU, 300ms, SIGXCPU), testing::ExitedWithCode(0), "^$");
}

TEST(StopSignalsDeathTest, TheSameKindLateAgainIsAnotherRequest) {
  EXPECT_EXIT(raise_both(SIGTERM, 5200ms, SIGTERM), testing::ExitedWithCode(0), "^$");
}

TEST(SignalWatch, OfTwoTheInnerOneHasTheSignals) {
  std::atomic<int> outer = 0;
  std::atomic<int> inner = 0;
  const auto wait_for = [](const std::atomic<int>& value) {
    for (int i = 0; i < 1000 && value == 0; ++i) {
      std::this_thread::sleep_for(10ms);
    }
    return value.load();
  };
  const SignalWatch first([&](const SignalWatch::Received& received) { outer = received.signal; });
  {
    const SignalWatch second(
        [&](const SignalWatch::Received& received) { inner = received.signal; });
    std::raise(SIGTERM);
    EXPECT_EQ(wait_for(inner), SIGTERM);
    EXPECT_EQ(outer, 0);
  }
  std::raise(SIGHUP);
  EXPECT_EQ(wait_for(outer), SIGHUP);
}

}  // namespace
}  // namespace precis
