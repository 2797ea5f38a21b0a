// The time of each family of kernels at a model's shapes.
#pragma once

#include <vector>

#include "bench/measure.hpp"
#include "model/config.hpp"

namespace precis {

struct KernelSizes {
  std::int64_t batch = 0;               ///< sequences of a packed batch
  std::int64_t length = 0;              ///< tokens of each
  std::vector<std::int64_t> sequences;  ///< counts of sequences that are decoded together
  std::int64_t cached = 0;              ///< tokens in the cache of each
};

/// Products, attention, decoding, vocabulary loss, norms, activations, AdamW and sampling, in the
/// precision of the device.
[[nodiscard]] std::vector<Measurement> measure_kernels(const Timing& timing, RandomTensors& random,
                                                       const ModelConfig& config,
                                                       const KernelSizes& sizes);

}  // namespace precis
