#include "parallel/owner_sum.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace precis {
namespace {

constexpr std::size_t in_flight_at_once = 2;
/// Elements of a round, over all ranks.
constexpr std::int64_t round_elements = std::int64_t{4} << 20;
constexpr int sum_tag = 8;
constexpr int gather_tag = 9;

/// This rank's elements and where the same of the others come to, by rank; and the operations that
/// bring them, and take the others theirs.
struct Exchange {
  std::vector<View> terms;
  std::vector<StartedOperation> operations;
};

/// `begin`, `end`: what each rank owns of `values`; `arrivals` has room for what comes.
Exchange start_exchange(Queue& queue, Communicator& ranks, View values,
                        std::span<const std::int64_t> begin, std::span<const std::int64_t> end,
                        View arrivals) {
  Exchange exchange;
  const auto me = static_cast<std::size_t>(ranks.rank());
  const auto owners = static_cast<std::size_t>(ranks.size());
  const std::int64_t mine = end[me] - begin[me];
  std::int64_t used = 0;
  for (std::size_t rank = 0; rank < owners; ++rank) {
    if (rank == me || mine == 0) {
      exchange.terms.push_back(values.rows(begin[me], end[me]));
      continue;
    }
    const View theirs = arrivals.rows(used, used + mine);
    used += mine;
    exchange.terms.push_back(theirs);
    exchange.operations.push_back(
        ranks.start_receive(queue, theirs, static_cast<int>(rank), sum_tag));
  }
  for (std::size_t rank = 0; rank < owners; ++rank) {
    if (rank != me && end[rank] > begin[rank]) {
      exchange.operations.push_back(ranks.start_send(queue, values.rows(begin[rank], end[rank]),
                                                     static_cast<int>(rank), sum_tag));
    }
  }
  return exchange;
}

/// The sum of the terms, in the order of `sum_in_tree`, takes the place of this rank's.
void add_in_tree(Device& device, std::vector<View>& terms, int me) {
  const View mine = terms[static_cast<std::size_t>(me)];
  if (mine.numel() == 0) {
    return;
  }
  const auto add = [&](std::size_t into, std::size_t other) {
    device.backend().add(device.queue(), terms[into], terms[other]);
  };
  const std::size_t folded = std::bit_floor(terms.size());
  for (std::size_t beyond = folded; beyond < terms.size(); ++beyond) {
    add(beyond - folded, beyond);
  }
  for (std::size_t distance = 1; distance < folded; distance *= 2) {
    for (std::size_t rank = 0; rank + distance < folded; rank += 2 * distance) {
      add(rank, rank + distance);
    }
  }
  if (me != 0) {
    device.backend().copy(device.queue(), mine, terms[0]);
  }
}

void wait_for(std::vector<StartedOperation>& operations) {
  for (StartedOperation& operation : operations) {
    operation.wait();
  }
  operations.clear();
}

}  // namespace

OwnerSum::OwnerSum(Device& device, Communicator& ranks, std::int64_t most)
    : device_(&device),
      ranks_(&ranks),
      round_(std::clamp<std::int64_t>(round_elements / ranks.size(), 1,
                                      std::max<std::int64_t>(most, 1))),
      arrivals_(device.allocate(
          {static_cast<std::int64_t>(in_flight_at_once), std::max(1, ranks.size() - 1), round_},
          DType::f32, MemoryUse::gradients)),
      in_flight_(in_flight_at_once) {}

void OwnerSum::start(View values, std::span<const std::int64_t> bounds) {
  const auto ranks = static_cast<std::size_t>(ranks_->size());
  std::int64_t most = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    most = std::max(most, bounds[r + 1] - bounds[r]);
  }
  for (std::int64_t done = 0; done < most; done += round_) {
    Round round{.values = values, .begin = {}, .end = {}};
    for (std::size_t r = 0; r < ranks; ++r) {
      round.begin.push_back(std::min(bounds[r] + done, bounds[r + 1]));
      round.end.push_back(std::min(bounds[r] + done + round_, bounds[r + 1]));
    }
    waiting_.push_back(std::move(round));
  }
  start_rounds();
}

void OwnerSum::start_rounds() {
  for (std::size_t i = 0; i < in_flight_.size() && !waiting_.empty(); ++i) {
    const std::size_t next = (oldest_ + i) % in_flight_.size();
    if (!in_flight_[next].busy) {
      const auto place = static_cast<std::int64_t>(next);
      const View arrivals = arrivals_.view().rows(place, place + 1);
      const Round& round = waiting_.front();
      auto [terms, operations] =
          start_exchange(device_->queue(), *ranks_, round.values, round.begin, round.end,
                         arrivals.reshaped({arrivals.numel()}));
      in_flight_[next] = {
          .terms = std::move(terms), .operations = std::move(operations), .busy = true};
      waiting_.pop_front();
    }
  }
}

void OwnerSum::finish(InFlight& round) {
  add_in_tree(*device_, round.terms, ranks_->rank());
  round.busy = false;
  oldest_ = (oldest_ + 1) % in_flight_.size();
  start_rounds();
}

void OwnerSum::test() {
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    InFlight& round = in_flight_[oldest_];
    if (!round.busy || !std::ranges::all_of(round.operations, &StartedOperation::test)) {
      return;
    }
    finish(round);
  }
}

void OwnerSum::wait() {
  if (!in_flight_[oldest_].busy) {
    return;
  }
  const WorkScope sum(ranks_->work(),
                      {.kind = ranks_->kind(), .name = "sum to owners", .group = ranks_->name()});
  while (in_flight_[oldest_].busy) {
    InFlight& round = in_flight_[oldest_];
    wait_for(round.operations);
    finish(round);
  }
}

void sum_to_owners(Device& device, Communicator& ranks, View values,
                   std::span<const std::int64_t> bounds, Workspace& workspace) {
  const WorkScope sum(ranks.work(),
                      {.kind = ranks.kind(), .name = "sum to owners", .group = ranks.name()});
  const WorkspaceScope scope(workspace);
  const auto me = static_cast<std::size_t>(ranks.rank());
  const View arrivals = workspace.take({(ranks.size() - 1) * (bounds[me + 1] - bounds[me])});
  const auto owners = static_cast<std::size_t>(ranks.size());
  Exchange exchange = start_exchange(device.queue(), ranks, values, bounds.first(owners),
                                     bounds.subspan(1), arrivals);
  wait_for(exchange.operations);
  add_in_tree(device, exchange.terms, ranks.rank());
}

std::vector<StartedOperation> start_gather_from_owners(Queue& queue, Communicator& ranks,
                                                       View values,
                                                       std::span<const std::int64_t> bounds) {
  std::vector<StartedOperation> operations;
  const auto piece_of = [&](int rank) {
    const auto r = static_cast<std::size_t>(rank);
    return values.rows(bounds[r], bounds[r + 1]);
  };
  for (int rank = 0; rank < ranks.size(); ++rank) {
    if (rank != ranks.rank() && piece_of(rank).numel() > 0) {
      operations.push_back(ranks.start_receive(queue, piece_of(rank), rank, gather_tag));
    }
  }
  const View mine = piece_of(ranks.rank());
  for (int rank = 0; rank < ranks.size() && mine.numel() > 0; ++rank) {
    if (rank != ranks.rank()) {
      operations.push_back(ranks.start_send(queue, mine, rank, gather_tag));
    }
  }
  return operations;
}

void wait_for_gather(Communicator& ranks, std::vector<StartedOperation>& operations) {
  const WorkScope gather(
      ranks.work(), {.kind = ranks.kind(), .name = "gather from owners", .group = ranks.name()});
  wait_for(operations);
}

void gather_from_owners(Queue& queue, Communicator& ranks, View values,
                        std::span<const std::int64_t> bounds) {
  auto operations = start_gather_from_owners(queue, ranks, values, bounds);
  wait_for_gather(ranks, operations);
}

}  // namespace precis
