// What the CPU backend keeps for a queue: scratch memory.
#pragma once

#include <memory>

#include "kernels/queue.hpp"
#include "kernels/scratch.hpp"

namespace precis::cpu {

struct QueueState {
  explicit QueueState(const std::shared_ptr<Memory>& memory) : scratch(memory), panels(memory) {}

  Scratch scratch;  ///< Of the kernel that is running.
  Scratch panels;   ///< Of linear_weight_gradient: its packed right factor, beside `scratch`.
};

/// The scratch memory of a kernel, valid until the next kernel of this queue.
[[nodiscard]] inline Scratch& scratch_of(Queue& queue) { return queue.state<QueueState>().scratch; }

}  // namespace precis::cpu
