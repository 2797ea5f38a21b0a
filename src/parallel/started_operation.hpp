// An operation of a communicator that has begun and goes on beside other work.
#pragma once

#include <memory>
#include <string>

#include "parallel/rank_group.hpp"
#include "parallel/unwinding.hpp"
#include "parallel/waiting.hpp"

namespace precis {

/// What a kind of communicator keeps of an operation that it has begun. Destroying it does not
/// wait.
class Transfer {
 public:
  Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  virtual ~Transfer() = default;

  /// Moves data on; true once this rank's part is complete. Not called again after that. `progress`
  /// is for a `beat` where this takes long.
  [[nodiscard]] virtual bool test(ProgressRecord& progress) = 0;
};

/// The views that it was started with are not touched by others until it is done: what is sent may
/// be read, what is received is incomplete. Work that is put into the operation's queue after
/// `wait` sees the result. MPI moves data only while somebody calls it: `test`, between kernels,
/// moves all operations of this rank on.
class StartedOperation {
 public:
  /// One that is done.
  StartedOperation() = default;
  /// `transfer` null: done. `name` is what the watchdog prints, `work` what `wait` is counted as;
  /// `ranks` must outlive the operation.
  StartedOperation(std::unique_ptr<Transfer> transfer, RankGroup& ranks, std::string name,
                   OperationWork work = {});
  /// Waits, unless an exception is on its way: then the operation is left as it is, and the memory
  /// of its views stays open to MPI until the process ends.
  ~StartedOperation();
  StartedOperation(StartedOperation&&) noexcept = default;
  StartedOperation& operator=(StartedOperation&& other) noexcept;
  StartedOperation(const StartedOperation&) = delete;
  StartedOperation& operator=(const StartedOperation&) = delete;

  /// Returns at once: whether it is done. Throws Error with the library's message, and leaves the
  /// operation then.
  [[nodiscard]] bool test();
  /// Waits until it is done, as one operation of the progress record. Throws as `test` does.
  void wait();

 private:
  void leave() noexcept;

  std::unique_ptr<Transfer> transfer_;
  RankGroup* ranks_ = nullptr;
  std::string name_;
  OperationWork work_;
  Unwinding unwinding_;
};

}  // namespace precis
