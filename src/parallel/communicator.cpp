#include "parallel/communicator.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "parallel/mpi_check.hpp"
#include "parallel/waiting.hpp"

namespace precis {

namespace {

/// MPI counts elements in an int; messages of this many elements or bytes also keep its internal
/// buffers moderate.
constexpr std::int64_t chunk_elements = std::int64_t{1} << 28;

/// From here on a blocking collective, entered once all ranks have arrived, beats the non-blocking
/// one, whose rounds advance only when it is polled.
constexpr std::int64_t large_bytes = std::int64_t{64} << 10;

template <class F>
void for_each_chunk(std::int64_t total, F f) {
  for (std::int64_t begin = 0; begin < total; begin += chunk_elements) {
    f(begin, static_cast<int>(std::min(chunk_elements, total - begin)));
  }
}

MPI_Datatype mpi_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return MPI_FLOAT;
    case DType::f64:
      return MPI_DOUBLE;
    case DType::i64:
      return MPI_INT64_T;
    default:
      fail("all-reduce takes f32, f64 or i64, but was given {}.", name_of(dtype));
  }
}

}  // namespace

MpiCommunicator::MpiCommunicator(MPI_Comm comm, std::string name, ProgressRecord& progress)
    : Communicator(
          std::move(name),
          [comm] {
            int rank = 0;
            check_mpi(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
            return rank;
          }(),
          [comm] {
            int size = 0;
            check_mpi(MPI_Comm_size(comm, &size), "MPI_Comm_size");
            return size;
          }(),
          progress),
      comm_(comm),
      exceptions_(std::uncaught_exceptions()) {
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

MpiCommunicator::~MpiCommunicator() {
  if (std::uncaught_exceptions() == exceptions_) {
    MPI_Comm_free(&comm_);
  }
}

void MpiCommunicator::wait(MPI_Request& request) {
  Backoff backoff;
  while (true) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) {
      return;
    }
    backoff.pause();
    progress().beat();
  }
}

void MpiCommunicator::all_reduce(View values, Reduction reduction) {
  const MPI_Datatype type = mpi_type(values.dtype());
  const MPI_Op op = reduction == Reduction::sum ? MPI_SUM : MPI_MAX;
  if (size() == 1) {
    return;
  }
  const OperationScope scope(progress(), name(), "all-reduce");
  if (values.size_bytes() < large_bytes) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, values.bytes(), static_cast<int>(values.numel()), type,
                             op, comm_, &request),
              "MPI_Iallreduce");
    wait(request);
    return;
  }
  MPI_Request arrived = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm_, &arrived), "MPI_Ibarrier");
  wait(arrived);
  for_each_chunk(values.numel(), [&](std::int64_t begin, int count) {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.bytes() + begin * size_of(values.dtype()), count,
                            type, op, comm_),
              "MPI_Allreduce");
    progress().beat();
  });
}

void MpiCommunicator::broadcast(View values, int root) {
  require(root >= 0 && root < size(),
          "A broadcast on '{}' names rank {}, but it has ranks 0 to {}.", name(), root, size() - 1);
  if (size() == 1) {
    return;
  }
  const OperationScope scope(progress(), name(), "broadcast");
  if (values.size_bytes() < large_bytes) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(values.bytes(), static_cast<int>(values.size_bytes()), MPI_BYTE, root,
                         comm_, &request),
              "MPI_Ibcast");
    wait(request);
    return;
  }
  MPI_Request arrived = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm_, &arrived), "MPI_Ibarrier");
  wait(arrived);
  for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
    check_mpi(MPI_Bcast(values.bytes() + begin, count, MPI_BYTE, root, comm_), "MPI_Bcast");
    progress().beat();
  });
}

void MpiCommunicator::barrier() {
  const OperationScope scope(progress(), name(), "barrier");
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm_, &request), "MPI_Ibarrier");
  wait(request);
}

void MpiCommunicator::send(ConstView values, int destination, int tag) {
  const OperationScope scope(progress(), name(), fmt::format("send to rank {}", destination));
  for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Isend(values.bytes() + begin, count, MPI_BYTE, destination, tag, comm_, &request),
              "MPI_Isend");
    wait(request);
  });
}

void MpiCommunicator::receive(View values, int source, int tag) {
  const OperationScope scope(progress(), name(), fmt::format("receive from rank {}", source));
  for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Irecv(values.bytes() + begin, count, MPI_BYTE, source, tag, comm_, &request),
              "MPI_Irecv");
    wait(request);
  });
}

std::vector<Bytes> MpiCommunicator::all_gather(std::span<const std::byte> mine) {
  const OperationScope scope(progress(), name(), "all-gather");
  const auto ranks = static_cast<std::size_t>(size());
  const auto my_size = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> sizes(ranks);
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallgather(&my_size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, comm_, &request),
            "MPI_Iallgather");
  wait(request);

  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  require(total <= std::numeric_limits<int>::max(),
          "The ranks of '{}' gather {} bytes at once; at most 2 GiB - 1 can be.", name(), total);
  std::vector<int> counts(sizes.begin(), sizes.end());
  std::vector<int> displacements(ranks);
  std::exclusive_scan(counts.begin(), counts.end(), displacements.begin(), 0);
  Bytes all(static_cast<std::size_t>(total));
  check_mpi(MPI_Iallgatherv(mine.data(), static_cast<int>(my_size), MPI_BYTE, all.data(),
                            counts.data(), displacements.data(), MPI_BYTE, comm_, &request),
            "MPI_Iallgatherv");
  wait(request);

  std::vector<Bytes> parts(ranks);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto begin = all.begin() + displacements[rank];
    parts[rank].assign(begin, begin + counts[rank]);
  }
  return parts;
}

Bytes MpiCommunicator::broadcast_bytes(std::span<const std::byte> mine, int root) {
  std::array<std::int64_t, 1> length{static_cast<std::int64_t>(mine.size())};
  broadcast(view_of(length), root);
  Bytes bytes(static_cast<std::size_t>(length[0]));
  if (rank() == root) {
    std::copy(mine.begin(), mine.end(), bytes.begin());
  }
  if (!bytes.empty()) {
    broadcast(View(bytes.data(), DType::u8, Shape{length[0]}), root);
  }
  return bytes;
}

std::string MpiCommunicator::broadcast_text(std::string_view mine, int root) {
  const Bytes bytes = broadcast_bytes(std::as_bytes(std::span(mine)), root);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unique_ptr<MpiCommunicator> MpiCommunicator::split(int color, int key, std::string part_name) {
  const OperationScope scope(progress(), name(), "split");
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(comm_, color < 0 ? MPI_UNDEFINED : color, key, &part), "MPI_Comm_split");
  return part == MPI_COMM_NULL
             ? nullptr
             : std::make_unique<MpiCommunicator>(part, std::move(part_name), progress());
}

std::unique_ptr<MpiCommunicator> MpiCommunicator::duplicate(std::string part_name) {
  const OperationScope scope(progress(), name(), "duplicate");
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(comm_, &copy), "MPI_Comm_dup");
  return std::make_unique<MpiCommunicator>(copy, std::move(part_name), progress());
}

namespace {

template <class T>
T all_reduce_one(Communicator& communicator, T mine, Reduction reduction) {
  communicator.all_reduce(view_of(&mine, Shape{1}), reduction);
  return mine;
}

}  // namespace

double all_sum(Communicator& communicator, double mine) {
  return all_reduce_one(communicator, mine, Reduction::sum);
}
std::int64_t all_sum(Communicator& communicator, std::int64_t mine) {
  return all_reduce_one(communicator, mine, Reduction::sum);
}
double all_max(Communicator& communicator, double mine) {
  return all_reduce_one(communicator, mine, Reduction::max);
}
std::int64_t all_max(Communicator& communicator, std::int64_t mine) {
  return all_reduce_one(communicator, mine, Reduction::max);
}

}  // namespace precis
