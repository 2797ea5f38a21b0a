// What MPI has begun: requests that are tested until all are done, and large collectives that begin
// once all ranks are there.
#pragma once

#include <mpi.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/view.hpp"
#include "parallel/started_operation.hpp"

namespace precis {

/// MPI counts elements in an int; messages of this many elements or bytes also keep its internal
/// buffers moderate.
inline constexpr std::int64_t mpi_chunk = std::int64_t{1} << 28;

/// From here on a blocking collective, entered once all ranks have arrived, beats the non-blocking
/// one, whose rounds advance only when it is polled.
inline constexpr std::int64_t meeting_bytes = std::int64_t{64} << 10;

[[nodiscard]] MPI_Op mpi_op(Reduction reduction);

/// Calls f(begin, count) for each piece of `total`; once with count 0 for a total of 0.
template <class F>
void for_each_chunk(std::int64_t total, F&& f) {
  std::int64_t begin = 0;
  do {
    f(begin, static_cast<int>(total - begin < mpi_chunk ? total - begin : mpi_chunk));
    begin += mpi_chunk;
  } while (begin < total);
}

/// Requests that are done in any order.
class MpiTransfer final : public Transfer {
 public:
  /// For the next MPI_I... call.
  [[nodiscard]] MPI_Request* add() { return &requests_.emplace_back(MPI_REQUEST_NULL); }
  /// The newest request is a receive of so many bytes: fewer or more are an error. `what` begins
  /// the message ("The receive from rank 1 on 'world'").
  void expect(std::int64_t bytes, const std::string& what);

  [[nodiscard]] bool test(ProgressRecord& progress) override;

 private:
  void check_received(const MPI_Status& status) const;

  std::vector<MPI_Request> requests_;
  std::size_t done_ = 0;  // all before it
  // For receives: the bytes of each request.
  std::vector<std::int64_t> expected_;
  std::string what_;
};

/// The ranks first meet, without blocking, and compare how many bytes each gives; then they enter
/// `collective`, which blocks. Only for a caller that does nothing else meanwhile.
class MetTransfer final : public Transfer {
 public:
  /// `what` begins the message where the numbers of bytes differ: "All-reduce on 'world'". `work`
  /// is told when the ranks have met.
  MetTransfer(MPI_Comm comm, std::int64_t bytes, std::string what, WorkLog& work,
              std::function<void(ProgressRecord&)> collective);

  [[nodiscard]] bool test(ProgressRecord& progress) override;

 private:
  std::string what_;
  WorkLog& work_;
  std::function<void(ProgressRecord&)> collective_;
  std::array<std::int64_t, 2> most_;  // of bytes, and of bytes with the other sign
  MPI_Request met_ = MPI_REQUEST_NULL;
};

/// A broadcast that goes on when it is tested.
[[nodiscard]] std::unique_ptr<Transfer> start_broadcast_of(MPI_Comm comm, View values, int root);
/// A broadcast for a caller that does nothing else meanwhile; `comm` is of these ranks.
[[nodiscard]] std::unique_ptr<Transfer> broadcast_at_once(MPI_Comm comm, View values, int root,
                                                          RankGroup& ranks);

}  // namespace precis
