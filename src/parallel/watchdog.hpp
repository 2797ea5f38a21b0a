// The thread that ends a job in which a rank is stuck, stopped or gone, and says who waited for
// what.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "parallel/mpi_session.hpp"
#include "parallel/unwinding.hpp"

namespace precis {

/// Looks at the progress records of this rank's node about five times a second until destruction,
/// and ends the job (one message on stderr, MPI_Abort with status 1, and after 10 seconds SIGKILL
/// to the ranks of the node) when
/// - a rank's process is gone although it has not finished; this is seen before the SIGTERM that
/// mpirun then sends to the others could be taken for a request to save and stop;
/// - this rank has waited in one operation for `seconds`, and a rank of the node has shown no
///   progress for as long (it is stopped, or computes without `tick`), or all ranks of the node
///   have waited for as long (a deadlock, or a rank of another node is stuck).
/// `seconds` must exceed the longest computation between two ticks, and on several nodes the
/// longest time that all ranks of one node may wait for another node. 0 turns the watchdog off.
///
/// The constructor is collective. The destructor waits for the other ranks (watched, on a
/// group named "end of the command") unless an exception is on its way, marks this rank as
/// finished, and joins the thread.
class Watchdog {
 public:
  Watchdog(MpiSession& session, double seconds);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch();
  /// What is wrong now, as the message to print; empty if nothing is.
  [[nodiscard]] std::string find_trouble() const;
  [[noreturn]] void end_job(const std::string& message);

  MpiSession& session_;
  std::unique_ptr<RankGroup> end_;
  double seconds_;
  Unwinding unwinding_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace precis
