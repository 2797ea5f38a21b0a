#include "parallel/rank_group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "parallel/mpi_check.hpp"
#include "parallel/mpi_transfer.hpp"
#include "parallel/waiting.hpp"

namespace precis {

RankGroup::RankGroup(MPI_Comm comm, std::string name, ProgressRecord& progress, WorkLog& work)
    : comm_(comm), name_(std::move(name)), progress_(progress), work_(work) {
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
}

RankGroup::RankGroup(int rank, int size, std::string name, ProgressRecord& progress, WorkLog& work)
    : name_(std::move(name)), rank_(rank), size_(size), progress_(progress), work_(work) {}

RankGroup::~RankGroup() {
  if (comm_ != MPI_COMM_NULL && !unwinding_.now()) {
    MPI_Comm_free(&comm_);
  }
}

void RankGroup::require_root(int root) const {
  require(root >= 0 && root < size_, "A broadcast on '{}' names rank {}, but it has ranks 0 to {}.",
          name_, root, size_ - 1);
}

void RankGroup::require_mpi(const char* operation) const {
  require(comm_ != MPI_COMM_NULL, "The group '{}' is without MPI and cannot {}.", name_, operation);
}

void RankGroup::wait(MPI_Request& request) {
  Backoff backoff;
  while (true) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) {
      return;
    }
    backoff.pause();
    progress_.beat();
  }
}

void RankGroup::barrier() {
  if (!sends()) {
    return;
  }
  const OperationScope scope(*this, "barrier");
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm_, &request), "MPI_Ibarrier");
  wait(request);
}

void RankGroup::reduce_numbers(void* values, std::size_t count, MPI_Datatype type,
                               Reduction reduction) {
  if (!sends()) {
    return;
  }
  constexpr std::int64_t number_bytes = 8;
  const OperationScope scope(*this, "all-reduce",
                             {.bytes = static_cast<std::int64_t>(count) * number_bytes});
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, values, static_cast<int>(count), type, mpi_op(reduction),
                           comm_, &request),
            "MPI_Iallreduce");
  wait(request);
}

void RankGroup::all_reduce(std::span<double> values, Reduction reduction) {
  reduce_numbers(values.data(), values.size(), MPI_DOUBLE, reduction);
}

void RankGroup::all_reduce(std::span<std::int64_t> values, Reduction reduction) {
  reduce_numbers(values.data(), values.size(), MPI_INT64_T, reduction);
}

std::vector<Bytes> RankGroup::all_gather(std::span<const std::byte> mine,
                                         std::int64_t most_at_once) {
  const auto ranks = static_cast<std::size_t>(size_);
  std::vector<Bytes> parts(ranks);
  if (!sends()) {
    parts[static_cast<std::size_t>(rank_)].assign(mine.begin(), mine.end());
    return parts;
  }
  const auto my_size = static_cast<std::int64_t>(mine.size());
  const OperationScope scope(*this, "all-gather", {.bytes = my_size});
  std::vector<std::int64_t> sizes(ranks);
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallgather(&my_size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, comm_, &request),
            "MPI_Iallgather");
  wait(request);

  // MPI counts in int: so as many rounds as the longest part needs, with an equal share of each
  // rank.
  const std::int64_t most = std::max<std::int64_t>(1, most_at_once / size_);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    parts[rank].reserve(static_cast<std::size_t>(sizes[rank]));
  }
  const std::int64_t longest = *std::max_element(sizes.begin(), sizes.end());
  for (std::int64_t begin = 0; begin < longest; begin += most) {
    std::vector<int> counts(ranks);
    std::vector<int> displacements(ranks);
    std::transform(sizes.begin(), sizes.end(), counts.begin(), [&](std::int64_t size) {
      return static_cast<int>(std::clamp<std::int64_t>(size - begin, 0, most));
    });
    std::exclusive_scan(counts.begin(), counts.end(), displacements.begin(), 0);
    Bytes round(static_cast<std::size_t>(displacements.back() + counts.back()));
    const int my_count = counts[static_cast<std::size_t>(rank_)];
    const std::byte* const my_part = my_count > 0 ? mine.data() + begin : nullptr;
    check_mpi(MPI_Iallgatherv(my_part, my_count, MPI_BYTE, round.data(), counts.data(),
                              displacements.data(), MPI_BYTE, comm_, &request),
              "MPI_Iallgatherv");
    wait(request);
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const auto first = round.begin() + displacements[rank];
      parts[rank].insert(parts[rank].end(), first, first + counts[rank]);
    }
  }
  return parts;
}

void RankGroup::broadcast(std::span<std::byte> bytes, int root) {
  require_root(root);
  if (!sends()) {
    return;
  }
  const View values(bytes.data(), DType::u8, Shape{static_cast<std::int64_t>(bytes.size())});
  StartedOperation(met_broadcast(comm_, values, root, *this), *this, "broadcast",
                   {.bytes = values.size_bytes()})
      .wait();
}

Bytes RankGroup::broadcast_bytes(std::span<const std::byte> mine, int root) {
  require_root(root);
  if (!sends()) {
    return {mine.begin(), mine.end()};
  }
  auto length = static_cast<std::int64_t>(mine.size());
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  Bytes bytes(static_cast<std::size_t>(length));
  if (rank_ == root) {
    std::copy(mine.begin(), mine.end(), bytes.begin());
  }
  if (!bytes.empty()) {
    broadcast(bytes, root);
  }
  return bytes;
}

std::string RankGroup::broadcast_text(std::string_view mine, int root) {
  const Bytes bytes = broadcast_bytes(std::as_bytes(std::span(mine)), root);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unique_ptr<RankGroup> RankGroup::split(int color, int key, std::string part_name) {
  require_mpi("be split");
  const OperationScope scope(*this, "split", {.kind = WorkKind::input});
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(comm_, color < 0 ? MPI_UNDEFINED : color, key, &part), "MPI_Comm_split");
  return part == MPI_COMM_NULL
             ? nullptr
             : std::make_unique<RankGroup>(part, std::move(part_name), progress_, work_);
}

std::unique_ptr<RankGroup> RankGroup::duplicate(std::string part_name) {
  require_mpi("be duplicated");
  const OperationScope scope(*this, "duplicate", {.kind = WorkKind::input});
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(comm_, &copy), "MPI_Comm_dup");
  return std::make_unique<RankGroup>(copy, std::move(part_name), progress_, work_);
}

namespace {

template <class T>
T all_reduce_one(RankGroup& ranks, T mine, Reduction reduction) {
  ranks.all_reduce(std::span(&mine, 1), reduction);
  return mine;
}

}  // namespace

double all_sum(RankGroup& ranks, double mine) {
  return all_reduce_one(ranks, mine, Reduction::sum);
}
std::int64_t all_sum(RankGroup& ranks, std::int64_t mine) {
  return all_reduce_one(ranks, mine, Reduction::sum);
}
double all_max(RankGroup& ranks, double mine) {
  return all_reduce_one(ranks, mine, Reduction::max);
}
std::int64_t all_max(RankGroup& ranks, std::int64_t mine) {
  return all_reduce_one(ranks, mine, Reduction::max);
}

}  // namespace precis
