#include "base/signals.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string_view>

#include "base/error.hpp"

namespace precis {
namespace {

constexpr std::array<int, 3> stop_signals{SIGTERM, SIGUSR1, SIGINT};

// The static variables of the program: a signal handler can reach nothing else.
std::atomic<int> signal_received = 0;
std::atomic<bool> says_the_end = false;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler may touch no other");

extern "C" void note_signal(int signal) {
  if (signal_received == 0) {
    signal_received = signal;
    return;
  }
  if (says_the_end) {
    constexpr std::string_view said = "precis: A second signal: ended without saving.\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, said.data(), said.size());
  }
  // The second one ends the program when this handler returns and unblocks it.
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

StopSignals::StopSignals(const std::function<void(int signal)>& acknowledge, bool speaks) {
  signal_received = 0;
  says_the_end = speaks;
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < stop_signals.size(); ++i) {
    require(sigaction(stop_signals[i], &action, &former_[i]) == 0, "{}",
            with_errno(fmt::format("Cannot set a handler for {}", name(stop_signals[i]))));
  }
  watch_ = std::jthread([acknowledge](const std::stop_token& end) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!end.stop_requested() && signal_received == 0) {
      wake.wait_for(lock, end, std::chrono::milliseconds(100), [] { return false; });
    }
    if (signal_received != 0) {
      acknowledge(signal_received);
    }
  });
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < stop_signals.size(); ++i) {
    sigaction(stop_signals[i], &former_[i], nullptr);
  }
}

int StopSignals::received() const noexcept { return signal_received; }

const char* StopSignals::name(int signal) noexcept {
  switch (signal) {
    case SIGTERM:
      return "SIGTERM";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGINT:
      return "SIGINT";
    default:
      return "another signal";
  }
}

}  // namespace precis
