#include "parallel/mpi_transfer.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/error.hpp"
#include "parallel/mpi_check.hpp"

namespace precis {

MPI_Op mpi_op(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return MPI_SUM;
    case Reduction::max:
      return MPI_MAX;
    case Reduction::min:
      break;
  }
  return MPI_MIN;
}

void MpiTransfer::expect(std::int64_t bytes, const std::string& what) {
  expected_.resize(requests_.size());
  expected_.back() = bytes;
  what_ = what;
}

bool MpiTransfer::test(ProgressRecord& /*progress*/) {
  for (; done_ < requests_.size(); ++done_) {
    int done = 0;
    MPI_Status status;
    const int code = MPI_Test(&requests_[done_], &done, &status);
    int kind = MPI_SUCCESS;
    if (code != MPI_SUCCESS) {
      MPI_Error_class(code, &kind);
    }
    require(expected_.empty() || kind != MPI_ERR_TRUNCATE,
            "{} expected {} bytes, but more came: the ranks do not agree on what is sent.", what_,
            expected_.empty() ? 0 : expected_[done_]);
    check_mpi(code, "MPI_Test");
    if (done == 0) {
      return false;
    }
    check_received(status);
  }
  return true;
}

void MpiTransfer::check_received(const MPI_Status& status) const {
  if (expected_.empty()) {
    return;
  }
  int count = 0;
  check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
  require(count == expected_[done_],
          "{} expected {} bytes, but {} came: the ranks do not agree on what is sent.", what_,
          expected_[done_], count);
}

MetTransfer::MetTransfer(MPI_Comm comm, std::int64_t bytes, std::string what, WorkLog& work,
                         std::function<void(ProgressRecord&)> collective)
    : what_(std::move(what)),
      work_(work),
      collective_(std::move(collective)),
      most_{bytes, -bytes} {
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, most_.data(), static_cast<int>(most_.size()), MPI_INT64_T,
                           MPI_MAX, comm, &met_),
            "MPI_Iallreduce");
}

bool MetTransfer::test(ProgressRecord& progress) {
  int met = 0;
  check_mpi(MPI_Test(&met_, &met, MPI_STATUS_IGNORE), "MPI_Test");
  if (met == 0) {
    return false;
  }
  work_.arrived();
  require(most_[0] == -most_[1],
          "{}: the ranks gave views of different sizes, from {} to {} bytes.", what_, -most_[1],
          most_[0]);
  collective_(progress);
  return true;
}

std::unique_ptr<Transfer> start_broadcast_of(MPI_Comm comm, View values, int root) {
  auto transfer = std::make_unique<MpiTransfer>();
  for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
    check_mpi(MPI_Ibcast(values.bytes() + begin, count, MPI_BYTE, root, comm, transfer->add()),
              "MPI_Ibcast");
  });
  return transfer;
}

std::unique_ptr<Transfer> broadcast_at_once(MPI_Comm comm, View values, int root,
                                            RankGroup& ranks) {
  if (values.size_bytes() < meeting_bytes) {
    return start_broadcast_of(comm, values, root);
  }
  return std::make_unique<MetTransfer>(
      comm, values.size_bytes(), fmt::format("Broadcast on '{}'", ranks.name()), ranks.work(),
      [=](ProgressRecord& record) {
        for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
          check_mpi(MPI_Bcast(values.bytes() + begin, count, MPI_BYTE, root, comm), "MPI_Bcast");
          record.beat();
        });
      });
}

}  // namespace precis
