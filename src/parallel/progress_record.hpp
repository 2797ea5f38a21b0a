// What one rank is doing, in memory that the other ranks of its node can read when it is stuck.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace precis {

/// A short text that one rank writes while others may read. A reader that comes in between sees a
/// mixture of two texts, which is acceptable in a diagnostic message.
class SharedText {
 public:
  void store(std::string_view text);
  [[nodiscard]] std::string load() const;

 private:
  std::array<std::atomic<std::uint64_t>, 8> words_{};
};

/// What identifies one process for ever: pids are used again, start times are not.
struct ProcessIdentity {
  std::int64_t pid = 0;
  std::uint64_t start_time = 0;     ///< clock ticks since boot, from /proc/PID/stat
  std::uint64_t pid_namespace = 0;  ///< inode of /proc/PID/ns/pid
  std::uint32_t user = 0;
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// The identity of the calling process.
[[nodiscard]] ProcessIdentity this_process();

enum class ProcessState { running, stopped, gone, unknown };

/// The state of the process; `unknown` where /proc does not tell (another pid namespace).
[[nodiscard]] ProcessState state_of(const ProcessIdentity& process);

/// Lives in shared memory, one per rank; its owner writes, everybody on the node reads. Zero bytes
/// are a valid record of a rank that has not begun.
class ProgressRecord {
 public:
  enum class State : std::uint32_t { absent, computing, waiting, finished, ended };

  void begin(int world_rank, std::string_view host);
  /// This rank has done its work: that it is gone is no fault.
  void finish() { state_.store(State::finished); }
  /// This rank ends, and the job with it, for a reason that it has told. May be called by any
  /// thread; what the others do then changes the state no more.
  void end();

  /// "I am alive, computing `phase`": called at the loop points of anything that may take long, so
  /// that a slow rank is told from a stuck one. Costs some tens of nanoseconds.
  void tick(std::string_view phase);
  /// An operation of a communicator is entered; `beat` says while waiting that this rank is alive.
  void enter(std::string_view communicator, std::string_view operation);
  void beat() { progressed_.store(monotonic_nanoseconds(), std::memory_order_relaxed); }
  void leave();

  [[nodiscard]] State state() const { return state_.load(std::memory_order_relaxed); }
  [[nodiscard]] int rank() const { return static_cast<int>(rank_.load()); }
  [[nodiscard]] ProcessIdentity process() const;
  [[nodiscard]] std::string host() const { return host_.load(); }
  [[nodiscard]] std::string communicator() const { return communicator_.load(); }
  [[nodiscard]] std::string operation() const { return operation_.load(); }
  [[nodiscard]] std::string phase() const { return phase_.load(); }
  /// How many operations this rank has entered.
  [[nodiscard]] std::int64_t sequence() const { return sequence_.load(std::memory_order_relaxed); }
  /// When the newest operation was entered.
  [[nodiscard]] std::int64_t entered() const { return entered_.load(std::memory_order_relaxed); }
  /// When this rank last showed that it is alive.
  [[nodiscard]] std::int64_t progressed() const {
    return progressed_.load(std::memory_order_relaxed);
  }

 private:
  /// Unless this rank has finished or ended.
  void change_to(State next);

  std::atomic<State> state_{State::absent};
  std::atomic<std::int64_t> rank_{0};
  std::atomic<std::int64_t> pid_{0};
  std::atomic<std::uint64_t> start_time_{0};
  std::atomic<std::uint64_t> pid_namespace_{0};
  std::atomic<std::uint64_t> user_{0};
  std::atomic<std::int64_t> sequence_{0};
  std::atomic<std::int64_t> entered_{0};
  std::atomic<std::int64_t> progressed_{0};
  SharedText host_;
  SharedText communicator_;
  SharedText operation_;
  SharedText phase_;
};

}  // namespace precis
