#include "base/signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/system_call.hpp"

namespace precis {
namespace {

constexpr std::int64_t second = 1'000'000'000;
/// The same signal twice within this time ends the program at once...
constexpr std::int64_t repeat_nanoseconds = 5 * second;
/// ... but not within this one: `timeout` and launchers signal a process and its group.
constexpr std::int64_t echo_nanoseconds = second / 5;

// The static variable of the program: a signal handler can reach nothing else.
std::atomic<int> pipe_of_newest = -1;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch no other");

std::int64_t now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * second + time.tv_nsec;
}

extern "C" void note_signal(int signal) {
  const int saved = errno;
  const SignalWatch::Received received{signal, now()};
  [[maybe_unused]] const auto written = ::write(pipe_of_newest, &received, sizeof received);
  errno = saved;
}

std::size_t index_of(int signal) {
  return static_cast<std::size_t>(std::find(ending_signals.begin(), ending_signals.end(), signal) -
                                  ending_signals.begin());
}

}  // namespace

const char* signal_name(int signal) noexcept {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGUSR2:
      return "SIGUSR2";
    case SIGXCPU:
      return "SIGXCPU (the limit of processor time)";
    default:
      return "another signal";
  }
}

void end_by_signal(int signal) noexcept {
  std::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  std::raise(signal);
  std::_Exit(128 + signal);
}

SignalWatch::SignalWatch(std::function<void(const Received&)> act) : act_(std::move(act)) {
  // A handler that found the pipe full would wait for its reader for ever.
  require_system(
      ::pipe2(pipe_.data(), O_CLOEXEC) == 0 && ::fcntl(pipe_[1], F_SETFL, O_NONBLOCK) == 0,
      "Cannot make a pipe for signals");
  former_pipe_ = pipe_of_newest.exchange(pipe_[1]);
  thread_ = std::thread([this] { watch(); });
  set_handlers();
}

SignalWatch::~SignalWatch() {
  put_back_handlers();
  pipe_of_newest = former_pipe_;
  const Received end;
  // The pipe may be full for a moment.
  while (::write(pipe_[1], &end, sizeof end) < 0) {
    std::this_thread::yield();
  }
  thread_.join();
  ::close(pipe_[0]);
  ::close(pipe_[1]);
}

void SignalWatch::set_handlers() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < ending_signals.size(); ++i) {
    sigaction(ending_signals[i], nullptr, &former_[i]);
    if (former_[i].sa_handler != SIG_IGN) {
      sigaction(ending_signals[i], &action, nullptr);
    }
  }
}

void SignalWatch::put_back_handlers() noexcept {
  for (std::size_t i = 0; i < ending_signals.size(); ++i) {
    sigaction(ending_signals[i], &former_[i], nullptr);
  }
}

void SignalWatch::watch() const {
  for (;;) {
    Received received;
    const ssize_t count = ::read(pipe_[0], &received, sizeof received);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count != sizeof received || received.signal == 0) {
      return;
    }
    act_(received);
  }
}

StopSignals::StopSignals(std::function<void(const Request&)> acknowledge,
                         std::function<void(int signal)> last_words)
    : acknowledge_(std::move(acknowledge)),
      last_words_(std::move(last_words)),
      watch_([this](const SignalWatch::Received& received) { take(received); }) {}

void StopSignals::take(const SignalWatch::Received& received) {
  const int signal = received.signal;
  std::int64_t& taken_at = taken_at_[index_of(signal)];
  const bool of_this_kind = taken_at != 0;
  const std::int64_t since = received.nanoseconds - taken_at;
  if (of_this_kind && (since < echo_nanoseconds || signal == SIGXCPU)) {
    return;
  }
  if (of_this_kind && since <= repeat_nanoseconds) {
    last_words_(signal);
    end_by_signal(signal);
  }
  taken_at = received.nanoseconds;
  int none = 0;
  const bool first = received_.compare_exchange_strong(none, signal);
  acknowledge_({signal, first});
}

}  // namespace precis
