// A group of ranks that is only thought of, for planning what one of them would do.
#pragma once

#include "parallel/communicator.hpp"

namespace precis {

/// What a Communicator needs before it is constructed.
struct PlannedRecord {
  ProgressRecord record;
};

/// Nothing is sent and nothing arrives: what this rank has stays as it is.
class PlannedRanks final : private PlannedRecord, public Communicator {
 public:
  PlannedRanks(int rank, int size) : Communicator("planned", rank, size, record) {}

  void all_reduce(View /*values*/, Reduction /*reduction*/) override {}
  void broadcast(View /*values*/, int /*root*/) override {}
  void barrier() override {}
  void send(ConstView /*values*/, int /*destination*/, int /*tag*/) override {}
  void receive(View /*values*/, int /*source*/, int /*tag*/) override {}
};

}  // namespace precis
