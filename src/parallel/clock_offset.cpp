#include "parallel/clock_offset.hpp"

#include <cstdlib>
#include <limits>
#include <memory>

#include "parallel/mpi_check.hpp"
#include "parallel/waiting.hpp"

namespace precis {
namespace {

/// The first ones begin before rank 0 turns to this rank, and are long.
constexpr int round_trips = 20;
constexpr int tag = 1;

void wait(RankGroup& ranks, MPI_Request& request) {
  wait_until(ranks, "comparison of clocks", [&] {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    return done != 0;
  });
}

void send(RankGroup& ranks, int rank, std::int64_t time) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Isend(&time, 1, MPI_INT64_T, rank, tag, ranks.handle(), &request), "MPI_Isend");
  wait(ranks, request);
}

std::int64_t receive(RankGroup& ranks, int rank) {
  std::int64_t time = 0;
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Irecv(&time, 1, MPI_INT64_T, rank, tag, ranks.handle(), &request), "MPI_Irecv");
  wait(ranks, request);
  return time;
}

std::int64_t compare_with_first(RankGroup& ranks) {
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  std::int64_t offset = 0;
  for (int trip = 0; trip < round_trips; ++trip) {
    const std::int64_t begin = monotonic_nanoseconds();
    send(ranks, 0, begin);
    const std::int64_t theirs = receive(ranks, 0);
    const std::int64_t taken = monotonic_nanoseconds() - begin;
    if (taken < shortest) {
      shortest = taken;
      offset = begin + taken / 2 - theirs;
    }
  }
  return std::abs(offset) <= shortest / 2 + 1 ? 0 : offset;
}

}  // namespace

std::int64_t clock_offset(RankGroup& ranks) {
  if (ranks.size() == 1) {
    return 0;
  }
  const std::unique_ptr<RankGroup> own = ranks.duplicate("clocks");
  if (own->rank() != 0) {
    return compare_with_first(*own);
  }
  for (int rank = 1; rank < own->size(); ++rank) {
    for (int trip = 0; trip < round_trips; ++trip) {
      receive(*own, rank);
      send(*own, rank, monotonic_nanoseconds());
    }
  }
  return 0;
}

}  // namespace precis
