#include "parallel/mpi_transfer.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/error.hpp"
#include "base/random.hpp"
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

Meeting::Meeting(MPI_Comm comm, std::string operation, const std::string& arguments,
                 std::int64_t bytes)
    : operation_(std::move(operation)) {
  const auto number = static_cast<std::int64_t>(name_number(operation_ + arguments) >> 1U);
  most_ = std::make_unique<std::array<std::int64_t, 4>>(std::array{bytes, -bytes, number, -number});
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, most_->data(), static_cast<int>(most_->size()),
                           MPI_INT64_T, MPI_MAX, comm, &request_),
            "MPI_Iallreduce");
}

Meeting::~Meeting() {
  if (request_ != MPI_REQUEST_NULL) {
    static_cast<void>(most_.release());
  }
}

bool Meeting::test() {
  int met = 0;
  check_mpi(MPI_Test(&request_, &met, MPI_STATUS_IGNORE), "MPI_Test");
  if (met == 0) {
    return false;
  }
  const auto [bytes, less_bytes, number, less_number] = *most_;
  require(number == -less_number,
          "{}: another rank is at another operation of the group, or gave other arguments.",
          operation_);
  require(bytes == -less_bytes, "{}: the ranks gave views of different sizes, from {} to {} bytes.",
          operation_, -less_bytes, bytes);
  return true;
}

MetTransfer::MetTransfer(Meeting meeting, WorkLog& work,
                         std::function<void(ProgressRecord&)> collective)
    : meeting_(std::move(meeting)), work_(work), collective_(std::move(collective)) {}

bool MetTransfer::test(ProgressRecord& progress) {
  if (!meeting_.test()) {
    return false;
  }
  work_.arrived();
  collective_(progress);
  return true;
}

bool ComparedTransfer::test(ProgressRecord& progress) {
  met_ = met_ || meeting_.test();
  return met_ && collective_.test(progress);
}

std::unique_ptr<Transfer> met_broadcast(MPI_Comm comm, View values, int root, RankGroup& ranks) {
  return std::make_unique<MetTransfer>(
      Meeting(comm, fmt::format("Broadcast on '{}'", ranks.name()), fmt::format("from {}", root),
              values.size_bytes()),
      ranks.work(), [=](ProgressRecord& record) {
        for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
          check_mpi(MPI_Bcast(values.bytes() + begin, count, MPI_BYTE, root, comm), "MPI_Bcast");
          record.beat();
        });
      });
}

}  // namespace precis
