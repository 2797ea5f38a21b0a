#include "parallel/communicator.hpp"

#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "parallel/waiting.hpp"

namespace precis {

namespace {

void require_arithmetic(const char* operation, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::f64 || dtype == DType::i32 || dtype == DType::i64,
          "{} takes f32, f64, i32 or i64, but was given {}.", operation, name_of(dtype));
}

bool overlap(ConstView a, ConstView b) {
  const std::less<const std::byte*> before;
  return before(a.bytes(), b.bytes() + b.size_bytes()) &&
         before(b.bytes(), a.bytes() + a.size_bytes());
}

/// For reduce-scatter and all-gather: `whole` has one part for each rank.
void require_parts(const char* operation, ConstView whole, ConstView part, int ranks) {
  require(whole.dtype() == part.dtype() && whole.numel() == part.numel() * ranks,
          "{} over {} ranks was given {} elements of {} as a part and {} of {} as the whole; the "
          "whole must be a part for each rank.",
          operation, ranks, part.numel(), name_of(part.dtype()), whole.numel(),
          name_of(whole.dtype()));
}

WorkKind kind_of(std::string_view ranks) {
  if (ranks.ends_with(".tp")) {
    return WorkKind::tensor_communication;
  }
  return ranks.ends_with(".pp") ? WorkKind::pipeline_communication : WorkKind::data_communication;
}

}  // namespace

Communicator::Communicator(RankGroup& group) : group_(group), kind_(kind_of(group.name())) {}

void Communicator::require_rank(const char* operation, int rank) const {
  require(rank >= 0 && rank < size(), "{} on '{}' names rank {}, but it has ranks 0 to {}.",
          operation, name(), rank, size() - 1);
}

/// `bytes`: of the whole tensor, of which each rank has a part or all.
template <class Begin>
StartedOperation Communicator::begun(Form form, std::string operation, std::int64_t bytes,
                                     Begin&& begin) {
  const OperationWork work{.kind = kind_, .bytes = bytes};
  if (form == Form::blocking) {
    return StartedOperation(begin(), group_, std::move(operation), work);
  }
  const OperationScope scope(group_, fmt::format("start of {}", operation), work);
  return StartedOperation(begin(), group_, fmt::format("started {}", operation));
}

StartedOperation Communicator::all_reduce_as(Form form, Queue& queue, View values,
                                             Reduction reduction) {
  require_arithmetic("All-reduce", values.dtype());
  if (size() == 1) {
    return {};
  }
  return begun(form, "all-reduce", values.size_bytes(),
               [&] { return begin_all_reduce(queue, values, reduction, form); });
}

StartedOperation Communicator::reduce_scatter_as(Form form, Queue& queue, View out,
                                                 ConstView values, Reduction reduction) {
  require_arithmetic("Reduce-scatter", values.dtype());
  require_parts("Reduce-scatter", values, out, size());
  require(!overlap(out, values), "The result of a reduce-scatter on '{}' overlaps its input.",
          name());
  return begun(form, "reduce-scatter", values.size_bytes(),
               [&] { return begin_reduce_scatter(queue, out, values, reduction, form); });
}

StartedOperation Communicator::all_gather_as(Form form, Queue& queue, View out, ConstView mine) {
  require_parts("All-gather", out, mine, size());
  const bool in_place = mine.bytes() == out.bytes() + rank() * mine.size_bytes();
  require(in_place || !overlap(out, mine),
          "The result of an all-gather on '{}' overlaps this rank's part, but not at its place.",
          name());
  if (size() == 1 && in_place) {
    return {};
  }
  return begun(form, "all-gather", out.size_bytes(),
               [&] { return begin_all_gather(queue, out, mine, form); });
}

StartedOperation Communicator::broadcast_as(Form form, Queue& queue, View values, int root) {
  require_rank("A broadcast", root);
  if (size() == 1) {
    return {};
  }
  return begun(form, "broadcast", values.size_bytes(),
               [&] { return begin_broadcast(queue, values, root, form); });
}

StartedOperation Communicator::send_as(Form form, Queue& queue, ConstView values, int destination,
                                       int tag) {
  require_rank("A send", destination);
  return begun(form, fmt::format("send to rank {}", destination), values.size_bytes(),
               [&] { return begin_send(queue, values, destination, tag); });
}

StartedOperation Communicator::receive_as(Form form, Queue& queue, View values, int source,
                                          int tag) {
  require_rank("A receive", source);
  return begun(form, fmt::format("receive from rank {}", source), values.size_bytes(),
               [&] { return begin_receive(queue, values, source, tag); });
}

void Communicator::all_reduce(Queue& queue, View values, Reduction reduction) {
  all_reduce_as(Form::blocking, queue, values, reduction).wait();
}
StartedOperation Communicator::start_all_reduce(Queue& queue, View values, Reduction reduction) {
  return all_reduce_as(Form::started, queue, values, reduction);
}

void Communicator::reduce_scatter(Queue& queue, View out, ConstView values, Reduction reduction) {
  reduce_scatter_as(Form::blocking, queue, out, values, reduction).wait();
}
StartedOperation Communicator::start_reduce_scatter(Queue& queue, View out, ConstView values,
                                                    Reduction reduction) {
  return reduce_scatter_as(Form::started, queue, out, values, reduction);
}

void Communicator::all_gather(Queue& queue, View out, ConstView mine) {
  all_gather_as(Form::blocking, queue, out, mine).wait();
}
StartedOperation Communicator::start_all_gather(Queue& queue, View out, ConstView mine) {
  return all_gather_as(Form::started, queue, out, mine);
}

void Communicator::broadcast(Queue& queue, View values, int root) {
  broadcast_as(Form::blocking, queue, values, root).wait();
}
StartedOperation Communicator::start_broadcast(Queue& queue, View values, int root) {
  return broadcast_as(Form::started, queue, values, root);
}

void Communicator::send(Queue& queue, ConstView values, int destination, int tag) {
  send_as(Form::blocking, queue, values, destination, tag).wait();
}
StartedOperation Communicator::start_send(Queue& queue, ConstView values, int destination,
                                          int tag) {
  return send_as(Form::started, queue, values, destination, tag);
}

void Communicator::receive(Queue& queue, View values, int source, int tag) {
  receive_as(Form::blocking, queue, values, source, tag).wait();
}
StartedOperation Communicator::start_receive(Queue& queue, View values, int source, int tag) {
  return receive_as(Form::started, queue, values, source, tag);
}

}  // namespace precis
