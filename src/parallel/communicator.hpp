// Communication between the ranks of one group: collectives and messages on views.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/view.hpp"
#include "parallel/progress_record.hpp"

namespace precis {

enum class Reduction { sum, max };

/// A group of ranks and the operations on data that it offers. Every operation blocks until its
/// local part is complete, is entered in the rank's progress record, and throws Error with the
/// library's own message. All ranks of the group call collectives in the same order with the same
/// dtype and number of elements.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  /// "world", "learner.dp", ...: what the watchdog prints.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// This rank's own record, for `tick` at the loop points of long computations.
  [[nodiscard]] ProgressRecord& progress() noexcept { return progress_; }

  /// Elementwise over the ranks, in place; f32, f64 or i64. Every rank has the same bits after it.
  virtual void all_reduce(View values, Reduction reduction) = 0;
  /// From rank `root` to all; any dtype.
  virtual void broadcast(View values, int root) = 0;
  virtual void barrier() = 0;
  /// Matches the `receive` with the same tag and number of bytes on rank `destination`.
  virtual void send(ConstView values, int destination, int tag) = 0;
  virtual void receive(View values, int source, int tag) = 0;

 protected:
  Communicator(std::string name, int rank, int size, ProgressRecord& progress)
      : name_(std::move(name)), rank_(rank), size_(size), progress_(progress) {}

 private:
  std::string name_;
  int rank_;
  int size_;
  ProgressRecord& progress_;
};

using Bytes = std::vector<std::byte>;

/// MPI on host memory: owns one MPI_Comm, freed at destruction (before the MpiSession's end), which
/// may wait for the other ranks; so not while an exception is on its way, whose message is first.
/// Beside the interface it offers what control needs: bytes of unequal length, and smaller groups.
class MpiCommunicator final : public Communicator {
 public:
  /// Takes over `comm` and sets its error handler to MPI_ERRORS_RETURN.
  MpiCommunicator(MPI_Comm comm, std::string name, ProgressRecord& progress);
  ~MpiCommunicator() override;

  void all_reduce(View values, Reduction reduction) override;
  void broadcast(View values, int root) override;
  void barrier() override;
  void send(ConstView values, int destination, int tag) override;
  void receive(View values, int source, int tag) override;

  /// Every rank's bytes, in the order of ranks, on every rank. In all below 2 GiB.
  [[nodiscard]] std::vector<Bytes> all_gather(std::span<const std::byte> mine);
  /// Rank `root`'s bytes on every rank; what the others give is ignored.
  [[nodiscard]] Bytes broadcast_bytes(std::span<const std::byte> mine, int root);
  [[nodiscard]] std::string broadcast_text(std::string_view mine, int root);

  /// Collective: the ranks that give the same `color` form a group, ordered by `key`, then by rank.
  /// A negative color joins none and gets a null pointer.
  [[nodiscard]] std::unique_ptr<MpiCommunicator> split(int color, int key, std::string name);
  /// Collective: the same ranks with a message space of their own.
  [[nodiscard]] std::unique_ptr<MpiCommunicator> duplicate(std::string name);

  /// For parallel HDF5 and for Mailbox.
  [[nodiscard]] MPI_Comm handle() const noexcept { return comm_; }

 private:
  void wait(MPI_Request& request);

  MPI_Comm comm_ = MPI_COMM_NULL;
  int exceptions_;
};

/// The global sum or maximum of one number, on every rank.
[[nodiscard]] double all_sum(Communicator& communicator, double mine);
[[nodiscard]] std::int64_t all_sum(Communicator& communicator, std::int64_t mine);
[[nodiscard]] double all_max(Communicator& communicator, double mine);
[[nodiscard]] std::int64_t all_max(Communicator& communicator, std::int64_t mine);

}  // namespace precis
