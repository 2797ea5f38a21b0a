// A group of ranks without MPI, for planning what one of them would do.
#pragma once

#include "parallel/communicator.hpp"

namespace precis {

/// What a Communicator needs before it is constructed.
struct PlannedGroup {
  PlannedGroup(int rank, int size) : ranks(rank, size, "planned", record, work) {}
  ProgressRecord record;
  WorkLog work;
  RankGroup ranks;
};

/// Nothing is sent and nothing arrives: what this rank has stays as it is.
class PlannedRanks final : private PlannedGroup, public Communicator {
 public:
  PlannedRanks(int rank, int size) : PlannedGroup(rank, size), Communicator(ranks) {}

 private:
  using None = std::unique_ptr<Transfer>;
  None begin_all_reduce(Queue&, View, Reduction, Form) override { return nullptr; }
  None begin_reduce_scatter(Queue&, View, ConstView, Reduction, Form) override { return nullptr; }
  None begin_all_gather(Queue&, View, ConstView, Form) override { return nullptr; }
  None begin_broadcast(Queue&, View, int, Form) override { return nullptr; }
  None begin_send(Queue&, ConstView, int, int) override { return nullptr; }
  None begin_receive(Queue&, View, int, int) override { return nullptr; }
};

}  // namespace precis
