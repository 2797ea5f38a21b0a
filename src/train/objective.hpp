// An objective: how a step is packed into micro-batches, and the loss of their hidden states.
#pragma once

#include <cstdint>
#include <vector>

#include "data/packing.hpp"
#include "device/workspace.hpp"
#include "model/parameters.hpp"

namespace precis {

/// The loss of a step's rows. An implementation is given the rows before the step, and keeps the
/// sums of their losses. Micro-batches are ranges of these rows.
class Objective {
 public:
  Objective() = default;
  virtual ~Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;

  /// The tokens of each row of the step, by which it is cut into micro-batches.
  [[nodiscard]] virtual std::vector<std::int64_t> lengths() const = 0;
  /// These rows, and where their hidden states are read.
  [[nodiscard]] virtual PackedBatch pack(const MicroBatch& rows) const = 0;
  /// For the hidden states (P,C) that are read of these rows: adds to the sums and to the gradients
  /// of the head, and returns the loss's gradient (P,C) of the hidden states, taken from
  /// `workspace`.
  [[nodiscard]] virtual View forward_backward(const MicroBatch& rows, ConstView hidden,
                                              Workspace& workspace, Parameters& gradients) = 0;
};

}  // namespace precis
