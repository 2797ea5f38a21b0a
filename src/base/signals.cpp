#include "base/signals.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "base/error.hpp"

namespace precis {
namespace {

constexpr std::array<int, 3> stop_signals{SIGTERM, SIGUSR1, SIGINT};

// The one static variable of the program: a signal handler can reach nothing else.
volatile std::sig_atomic_t signal_received = 0;

extern "C" void note_signal(int signal) {
  if (signal_received == 0) {
    signal_received = signal;
    return;
  }
  // The second one ends the program when this handler returns and unblocks it.
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

StopSignals::StopSignals(const std::function<void(int signal)>& acknowledge) {
  signal_received = 0;
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
