#include "parallel/mpi_communicator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "kernels/host_memory.hpp"
#include "parallel/mpi_check.hpp"
#include "parallel/mpi_transfer.hpp"
#include "parallel/waiting.hpp"

namespace precis {

namespace {

MPI_Datatype mpi_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return MPI_FLOAT;
    case DType::f64:
      return MPI_DOUBLE;
    case DType::i32:
      return MPI_INT32_T;
    case DType::i64:
      return MPI_INT64_T;
    case DType::u8:
    case DType::bf16:
      break;
  }
  fail("MPI has no arithmetic for {}.", name_of(dtype));
}

/// Bytes that are only moved.
MPI_Datatype mpi_bits(DType dtype) {
  switch (size_of(dtype)) {
    case 8:
      return MPI_UINT64_T;
    case 4:
      return MPI_UINT32_T;
    case 2:
      return MPI_UINT16_T;
    default:
      return MPI_BYTE;
  }
}

std::byte* element(View values, std::int64_t index) {
  return values.bytes() + index * size_of(values.dtype());
}

/// MPI cannot be given the parts in pieces, since it expects them behind each other.
int part_count(const char* operation, const std::string& name, ConstView whole, ConstView part) {
  require(whole.numel() <= std::numeric_limits<int>::max(),
          "{} on '{}' was given {} elements; at most 2^31 - 1 can be taken at once.", operation,
          name, whole.numel());
  return static_cast<int>(part.numel());
}

/// MPI takes the two forms of a collective for two operations.
std::string arguments_of(bool started) { return started ? "started" : "blocking"; }
std::string arguments_of(bool started, ConstView values, Reduction reduction) {
  return fmt::format("{} {} {}", arguments_of(started), name_of(values.dtype()),
                     static_cast<int>(reduction));
}

}  // namespace

MpiCommunicator::MpiCommunicator(RankGroup& group) : Communicator(group) {
  const OperationScope scope(group, "duplicate", {.kind = WorkKind::input});
  check_mpi(MPI_Comm_dup(group.handle(), &comm_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

MpiCommunicator::~MpiCommunicator() {
  if (!unwinding_.now()) {
    MPI_Comm_free(&comm_);
  }
}

void MpiCommunicator::require_host_memory(const Queue& queue) const {
  const Memory& memory = *queue.memory();
  require(
      dynamic_cast<const HostMemory*>(&memory) != nullptr,
      "MPI moves data in host memory only, but '{}' was given {}. Use device = cpu with several "
      "ranks.",
      name(), memory.name());
}

Meeting MpiCommunicator::meeting(const char* operation, const std::string& arguments,
                                 std::int64_t bytes) const {
  return {comm_, fmt::format("{} on '{}'", operation, name()), arguments, bytes};
}

std::unique_ptr<Transfer> MpiCommunicator::begin_all_reduce(Queue& queue, View values,
                                                            Reduction reduction, Form form) {
  require_host_memory(queue);
  const MPI_Datatype type = mpi_type(values.dtype());
  const MPI_Op op = mpi_op(reduction);
  if (form == Form::blocking) {
    return std::make_unique<MetTransfer>(
        meeting("All-reduce", arguments_of(form == Form::started, values, reduction),
                values.size_bytes()),
        work(), [=, comm = comm_](ProgressRecord& record) {
          for_each_chunk(values.numel(), [&](std::int64_t begin, int count) {
            check_mpi(MPI_Allreduce(MPI_IN_PLACE, element(values, begin), count, type, op, comm),
                      "MPI_Allreduce");
            record.beat();
          });
        });
  }
  auto transfer = std::make_unique<ComparedTransfer>(meeting(
      "All-reduce", arguments_of(form == Form::started, values, reduction), values.size_bytes()));
  for_each_chunk(values.numel(), [&](std::int64_t begin, int count) {
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, element(values, begin), count, type, op, comm_,
                             transfer->add()),
              "MPI_Iallreduce");
  });
  return transfer;
}

std::unique_ptr<Transfer> MpiCommunicator::begin_reduce_scatter(Queue& queue, View out,
                                                                ConstView values,
                                                                Reduction reduction, Form form) {
  require_host_memory(queue);
  if (size() == 1) {
    std::copy_n(values.bytes(), out.size_bytes(), out.bytes());
    return nullptr;
  }
  const int count = part_count("Reduce-scatter", name(), values, out);
  const MPI_Datatype type = mpi_type(values.dtype());
  const MPI_Op op = mpi_op(reduction);
  if (form == Form::blocking) {
    return std::make_unique<MetTransfer>(
        meeting("Reduce-scatter", arguments_of(form == Form::started, values, reduction),
                values.size_bytes()),
        work(), [=, comm = comm_](ProgressRecord& /*record*/) {
          check_mpi(MPI_Reduce_scatter_block(values.bytes(), out.bytes(), count, type, op, comm),
                    "MPI_Reduce_scatter_block");
        });
  }
  auto transfer = std::make_unique<ComparedTransfer>(
      meeting("Reduce-scatter", arguments_of(form == Form::started, values, reduction),
              values.size_bytes()));
  check_mpi(MPI_Ireduce_scatter_block(values.bytes(), out.bytes(), count, type, op, comm_,
                                      transfer->add()),
            "MPI_Ireduce_scatter_block");
  return transfer;
}

std::unique_ptr<Transfer> MpiCommunicator::begin_all_gather(Queue& queue, View out, ConstView mine,
                                                            Form form) {
  require_host_memory(queue);
  if (size() == 1) {
    std::copy_n(mine.bytes(), out.size_bytes(), out.bytes());
    return nullptr;
  }
  const int count = part_count("All-gather", name(), out, mine);
  const MPI_Datatype type = mpi_bits(out.dtype());
  const bool in_place = mine.bytes() == out.bytes() + rank() * mine.size_bytes();
  const void* const from = in_place ? MPI_IN_PLACE : static_cast<const void*>(mine.bytes());
  if (form == Form::blocking) {
    return std::make_unique<MetTransfer>(
        meeting("All-gather", arguments_of(form == Form::started), out.size_bytes()), work(),
        [=, comm = comm_](ProgressRecord& /*record*/) {
          check_mpi(MPI_Allgather(from, count, type, out.bytes(), count, type, comm),
                    "MPI_Allgather");
        });
  }
  auto transfer = std::make_unique<ComparedTransfer>(
      meeting("All-gather", arguments_of(form == Form::started), out.size_bytes()));
  check_mpi(MPI_Iallgather(from, count, type, out.bytes(), count, type, comm_, transfer->add()),
            "MPI_Iallgather");
  return transfer;
}

std::unique_ptr<Transfer> MpiCommunicator::begin_broadcast(Queue& queue, View values, int root,
                                                           Form form) {
  require_host_memory(queue);
  if (form == Form::blocking) {
    return met_broadcast(comm_, values, root, group());
  }
  auto transfer = std::make_unique<ComparedTransfer>(
      meeting("Broadcast", fmt::format("{} from {}", arguments_of(form == Form::started), root),
              values.size_bytes()));
  for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
    check_mpi(MPI_Ibcast(values.bytes() + begin, count, MPI_BYTE, root, comm_, transfer->add()),
              "MPI_Ibcast");
  });
  return transfer;
}

std::unique_ptr<Transfer> MpiCommunicator::begin_send(Queue& queue, ConstView values,
                                                      int destination, int tag) {
  require_host_memory(queue);
  auto transfer = std::make_unique<MpiTransfer>();
  for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
    check_mpi(MPI_Isend(values.bytes() + begin, count, MPI_BYTE, destination, tag, comm_,
                        transfer->add()),
              "MPI_Isend");
  });
  return transfer;
}

std::unique_ptr<Transfer> MpiCommunicator::begin_receive(Queue& queue, View values, int source,
                                                         int tag) {
  require_host_memory(queue);
  auto transfer = std::make_unique<MpiTransfer>();
  const std::string what = fmt::format("A receive from rank {} on '{}'", source, name());
  for_each_chunk(values.size_bytes(), [&](std::int64_t begin, int count) {
    check_mpi(
        MPI_Irecv(values.bytes() + begin, count, MPI_BYTE, source, tag, comm_, transfer->add()),
        "MPI_Irecv");
    transfer->expect(count, what);
  });
  return transfer;
}

}  // namespace precis
