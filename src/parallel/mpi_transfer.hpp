// What MPI has begun: requests that are tested until all are done, and collectives whose ranks
// first compare what they are about to do.
#pragma once

#include <mpi.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/view.hpp"
#include "parallel/started_operation.hpp"

namespace precis {

/// MPI counts elements in an int; messages of this many elements or bytes also keep its internal
/// buffers moderate.
inline constexpr std::int64_t mpi_chunk = std::int64_t{1} << 28;

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

/// What all ranks of a collective must agree on: the operation, on which group ("All-reduce on
/// 'world'"), with which arguments, and how many bytes each gives.
class Meeting {
 public:
  /// Begins to compare; `comm` is of these ranks. `arguments`: what else is said of the operation.
  Meeting(MPI_Comm comm, std::string operation, const std::string& arguments, std::int64_t bytes);
  Meeting(Meeting&&) noexcept = default;
  Meeting& operator=(Meeting&&) = delete;
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;
  /// One that has not come to its end leaves MPI the memory that it writes to.
  ~Meeting();

  /// Whether all ranks are there. Throws Error on all of them if they do not agree.
  [[nodiscard]] bool test();

 private:
  std::string operation_;
  /// Of bytes and of the operation's number, and of their negatives; MPI writes there.
  std::unique_ptr<std::array<std::int64_t, 4>> most_;
  MPI_Request request_ = MPI_REQUEST_NULL;
};

/// The ranks meet, without blocking; then they enter `collective`, which blocks, and so is faster
/// than a collective whose rounds advance only when it is polled. Only for a caller that does
/// nothing else meanwhile.
class MetTransfer final : public Transfer {
 public:
  /// `work` is told when the ranks have met.
  MetTransfer(Meeting meeting, WorkLog& work, std::function<void(ProgressRecord&)> collective);

  [[nodiscard]] bool test(ProgressRecord& progress) override;

 private:
  Meeting meeting_;
  WorkLog& work_;
  std::function<void(ProgressRecord&)> collective_;
};

/// A collective that goes on when it is tested, beside the ranks' meeting: it cannot begin after
/// that, as all ranks must begin theirs in the same order.
class ComparedTransfer final : public Transfer {
 public:
  explicit ComparedTransfer(Meeting meeting) : meeting_(std::move(meeting)) {}
  /// For the collective's MPI_I... calls.
  [[nodiscard]] MPI_Request* add() { return collective_.add(); }

  [[nodiscard]] bool test(ProgressRecord& progress) override;

 private:
  Meeting meeting_;
  MpiTransfer collective_;
  bool met_ = false;
};

/// A broadcast for a caller that does nothing else meanwhile; `comm` is of these ranks.
[[nodiscard]] std::unique_ptr<Transfer> met_broadcast(MPI_Comm comm, View values, int root,
                                                      RankGroup& ranks);

}  // namespace precis
