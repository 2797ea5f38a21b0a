// Signals that ask a program to stop: a training saves first, anything else ends with a word.
#pragma once

#include <csignal>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace precis {

/// SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU: what a user, a launcher, a batch system
/// or a limit sends to end a program.
inline constexpr std::array<int, 6> ending_signals{SIGINT,  SIGTERM, SIGHUP,
                                                   SIGUSR1, SIGUSR2, SIGXCPU};

/// "SIGTERM" etc. for messages.
[[nodiscard]] const char* signal_name(int signal) noexcept;

/// Ends the program by the signal, as if it had not been caught.
[[noreturn]] void end_by_signal(int signal) noexcept;

/// While it lives, each ending signal is handed to a function, from a thread of its own, however
/// busy the others are. Signals that were ignored before (nohup, a shell's background) stay
/// ignored. Of several objects the newest has the signals; they end in the reverse order.
class SignalWatch {
 public:
  struct Received {
    int signal = 0;
    std::int64_t nanoseconds = 0;  ///< on CLOCK_MONOTONIC
  };

  /// Throws Error if its pipe cannot be made.
  explicit SignalWatch(std::function<void(const Received&)> act);
  /// Puts the former handlers back.
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void set_handlers();
  void put_back_handlers() noexcept;
  void watch() const;

  std::function<void(const Received&)> act_;
  std::array<int, 2> pipe_{-1, -1};
  int former_pipe_ = -1;
  std::array<struct sigaction, ending_signals.size()> former_{};
  std::thread thread_;
};

/// While it lives, ending signals ask for a stop, which is looked at and agreed between ranks at
/// the end of each step. Several kinds are one request: a batch system sends SIGUSR1 before the
/// limit and SIGTERM at it. Only one kind twice within five seconds ends the program at once; not
/// SIGXCPU, which the system repeats each second.
class StopSignals {
 public:
  struct Request {
    int signal;
    bool first;  ///< none was received before, of any kind
  };

  /// `acknowledge` is called with each request, `last_words` before the program is ended at once;
  /// both from a thread of their own. Throws Error if a pipe cannot be made.
  StopSignals(std::function<void(const Request&)> acknowledge,
              std::function<void(int signal)> last_words);

  /// The first signal that asked for the stop, or 0.
  [[nodiscard]] int received() const noexcept { return received_; }

 private:
  void take(const SignalWatch::Received& received);

  std::function<void(const Request&)> acknowledge_;
  std::function<void(int signal)> last_words_;
  std::atomic<int> received_ = 0;
  std::array<std::int64_t, ending_signals.size()> taken_at_{};  // 0: not yet
  SignalWatch watch_;
};

}  // namespace precis
