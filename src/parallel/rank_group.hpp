// A group of ranks and what they tell each other to stay in step: numbers, bytes, texts, barriers,
// smaller groups. Tensors travel by Communicator.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/work_log.hpp"
#include "parallel/progress_record.hpp"
#include "parallel/unwinding.hpp"

namespace precis {

using Bytes = std::vector<std::byte>;

enum class Reduction { sum, max, min };

/// MPI on host memory: owns one MPI_Comm, freed at destruction (before the MpiSession's end), which
/// may wait for the other ranks; so not while an exception is on its way, whose message is first.
/// All ranks of the group call its operations in the same order. Each returns when its local part
/// is complete, a broadcast after all ranks have come, is entered in the rank's progress record, by
/// which the watchdog gives it its deadline, and throws Error with MPI's own message.
class RankGroup {
 public:
  /// Takes over `comm` and sets its error handler to MPI_ERRORS_RETURN.
  RankGroup(MPI_Comm comm, std::string name, ProgressRecord& progress, WorkLog& work);
  /// A group without MPI, as one of its ranks would see it: nothing is sent and nothing arrives, so
  /// that each result is made of what this rank gives.
  RankGroup(int rank, int size, std::string name, ProgressRecord& progress, WorkLog& work);
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  /// "world", "learner.dp", ...: what the watchdog prints.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// This rank's own record, for `tick` at the loop points of long computations.
  [[nodiscard]] ProgressRecord& progress() noexcept { return progress_; }
  /// What this rank spends its time on; all operations of a group count as waiting for its ranks.
  [[nodiscard]] WorkLog& work() noexcept { return work_; }

  void barrier();
  /// Elementwise over the ranks, in place; every rank gives as many and has the same bits after it.
  void all_reduce(std::span<double> values, Reduction reduction);
  void all_reduce(std::span<std::int64_t> values, Reduction reduction);
  /// Every rank's bytes, in the order of ranks, on every rank; of any lengths. `most_at_once`:
  /// bytes that a call of MPI moves in all.
  [[nodiscard]] std::vector<Bytes> all_gather(
      std::span<const std::byte> mine, std::int64_t most_at_once = std::numeric_limits<int>::max());
  /// In place, from rank `root` to all; every rank gives as many.
  void broadcast(std::span<std::byte> bytes, int root);
  /// Rank `root`'s bytes on every rank; what the others give is ignored.
  [[nodiscard]] Bytes broadcast_bytes(std::span<const std::byte> mine, int root);
  [[nodiscard]] std::string broadcast_text(std::string_view mine, int root);

  /// Collective: the ranks that give the same `color` form a group, ordered by `key`, then by rank.
  /// A rank with a negative color joins none and gets a null pointer.
  [[nodiscard]] std::unique_ptr<RankGroup> split(int color, int key, std::string name);
  /// Collective: the same ranks with a message space of their own.
  [[nodiscard]] std::unique_ptr<RankGroup> duplicate(std::string name);

  /// For MpiCommunicator, parallel HDF5 and Mailbox; MPI_COMM_NULL in a group without MPI.
  [[nodiscard]] MPI_Comm handle() const noexcept { return comm_; }

 private:
  /// Whether there is another rank to talk to.
  [[nodiscard]] bool sends() const noexcept { return size_ > 1 && comm_ != MPI_COMM_NULL; }
  void require_root(int root) const;
  void require_mpi(const char* operation) const;
  void wait(MPI_Request& request);
  void reduce_numbers(void* values, std::size_t count, MPI_Datatype type, Reduction reduction);

  MPI_Comm comm_ = MPI_COMM_NULL;
  std::string name_;
  int rank_ = 0;
  int size_ = 1;
  ProgressRecord& progress_;
  WorkLog& work_;
  Unwinding unwinding_;
};

/// The global sum or maximum of one number, on every rank.
[[nodiscard]] double all_sum(RankGroup& ranks, double mine);
[[nodiscard]] std::int64_t all_sum(RankGroup& ranks, std::int64_t mine);
[[nodiscard]] double all_max(RankGroup& ranks, double mine);
[[nodiscard]] std::int64_t all_max(RankGroup& ranks, std::int64_t mine);

}  // namespace precis
