// Sums over ranks of which each rank keeps its own part only, formed while other work goes on.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "device/workspace.hpp"
#include "parallel/communicator.hpp"

namespace precis {

/// Sums flat f32 values over the ranks of a group to their owners, in the order of `sum_in_tree`:
/// each rank sends the others what they own, and adds up what it gets. Ranges wait their turn, and
/// few are on the way at a time, which bounds the memory for what comes. All ranks call `start`
/// with the same ranges in the same order; when they call `test` is their own affair.
class OwnerSum {
 public:
  /// `most`: the most elements that any rank owns of one range, the same on all.
  OwnerSum(Device& device, Communicator& ranks, std::int64_t most);

  /// Rank r's elements [bounds[r], bounds[r + 1]) of `values` become their sum there; what others
  /// own stays as it is. Nobody else touches the range until `wait`.
  void start(View values, std::span<const std::int64_t> bounds);
  /// Moves data on, between kernels.
  void test();
  /// Until all that was started is done.
  void wait();

 private:
  /// What is sent at a time: of each rank's elements at most `round_`.
  struct Round {
    View values;
    std::vector<std::int64_t> begin, end;  // by rank
  };
  /// A round on its way.
  struct InFlight {
    std::vector<View> terms;  // of this rank's elements, by rank: its own are in place
    std::vector<StartedOperation> operations;
    bool busy = false;
  };

  void start_rounds();
  /// The sum of what has come.
  void finish(InFlight& round);

  Device* device_;
  Communicator* ranks_;
  std::int64_t round_;
  Tensor arrivals_;  // (in flight, ranks - 1, round_)
  std::deque<Round> waiting_;
  std::vector<InFlight> in_flight_;
  std::size_t oldest_ = 0;  // of those in flight, which finish in order
};

/// The same at once (an uneven reduce-scatter in place), with memory from a workspace: for what is
/// summed again and again.
void sum_to_owners(Device& device, Communicator& ranks, View values,
                   std::span<const std::int64_t> bounds, Workspace& workspace);

/// Each rank's elements [bounds[r], bounds[r + 1]) of `values` are given to all others: started,
/// for `wait_for_gather`, or at once.
[[nodiscard]] std::vector<StartedOperation> start_gather_from_owners(
    Queue& queue, Communicator& ranks, View values, std::span<const std::int64_t> bounds);
void wait_for_gather(Communicator& ranks, std::vector<StartedOperation>& operations);
void gather_from_owners(Queue& queue, Communicator& ranks, View values,
                        std::span<const std::int64_t> bounds);

}  // namespace precis
