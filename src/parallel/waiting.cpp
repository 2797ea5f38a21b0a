#include "parallel/waiting.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace precis {

namespace {

constexpr std::int64_t spin_nanoseconds = 20'000;
constexpr std::int64_t yield_nanoseconds = 200'000;
constexpr std::int64_t longest_sleep_nanoseconds = 100'000;

}  // namespace

Backoff::Backoff() : began_(monotonic_nanoseconds()) {}

void Backoff::pause() {
  const std::int64_t waited = monotonic_nanoseconds() - began_;
  if (waited < spin_nanoseconds) {
    return;
  }
  if (waited < yield_nanoseconds) {
    sched_yield();
    return;
  }
  // A twentieth of the time waited so far, so that the sleep adds little to any wait.
  std::this_thread::sleep_for(
      std::chrono::nanoseconds(std::min(waited / 20, longest_sleep_nanoseconds)));
}

void wait_until(RankGroup& ranks, std::string_view operation, const std::function<bool()>& done,
                OperationWork work) {
  const OperationScope scope(ranks, operation, work);
  Backoff backoff;
  while (!done()) {
    backoff.pause();
    ranks.progress().beat();
  }
}

}  // namespace precis
