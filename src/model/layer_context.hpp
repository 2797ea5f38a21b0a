// What every layer is given.
#pragma once

#include "device/workspace.hpp"
#include "model/parameters.hpp"

namespace precis {

/// Where a layer runs, with which parameters, and where its results are taken from.
struct LayerContext {
  Device& device;
  const Parameters& parameters;
  Workspace& workspace;
  /// No backward pass follows: what only that would read need not be written.
  bool inference = false;
  /// For rows that layers gather from other ranks, with sequence parallelism.
  Workspace* gathered = nullptr;

  [[nodiscard]] const Backend& kernels() const { return device.backend(); }
  [[nodiscard]] Queue& queue() const { return device.queue(); }
  /// The ranks that share the layer; null: this one alone.
  [[nodiscard]] Communicator* tensor() const { return parameters.parallel().tensor; }
  [[nodiscard]] int tensor_rank() const { return parameters.parallel().place.tensor_rank; }
};

}  // namespace precis
