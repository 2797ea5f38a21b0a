// Signals that ask a run to stop: the first is a flag, the second ends the program at once.
#pragma once

#include <csignal>

#include <array>
#include <functional>
#include <thread>

namespace precis {

/// While it lives, the first SIGTERM, SIGUSR1 or SIGINT only sets a flag, and the next one of them
/// ends the program as if it had not been caught. The flag is looked at and agreed between ranks at
/// the end of each step. At most one object at a time.
class StopSignals {
 public:
  /// `acknowledge` is called with the first signal within a tenth of a second, from a thread of its
  /// own, however long the step takes. `speaks`: the end by a second one is said on standard error,
  /// as one rank of a run should. Throws Error if a handler cannot be set.
  StopSignals(const std::function<void(int signal)>& acknowledge, bool speaks);
  /// Puts the former handlers back.
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that asked for the stop, or 0.
  [[nodiscard]] int received() const noexcept;
  /// "SIGTERM" etc. for messages.
  [[nodiscard]] static const char* name(int signal) noexcept;

 private:
  std::array<struct sigaction, 3> former_{};
  std::jthread watch_;
};

}  // namespace precis
