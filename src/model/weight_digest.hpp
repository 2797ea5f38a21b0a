// Digests by which ranks that hold parts of the same weights know that they do.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/parameters.hpp"

namespace precis {

/// The digest of each of the tensors, as io/digest has it: those of the boxes of a tensor add up to
/// the whole tensor's, on any layout.
[[nodiscard]] std::vector<std::uint64_t> box_digests(Device& device, const Parameters& parameters);

/// What one rank holds of a copy of a model.
struct DigestedWeights {
  std::string holder;  ///< "rollout rank 3", for messages
  int copy = 0;        ///< of the model; ranks of one copy have one number
  std::vector<ParameterSpec> specs;
  std::vector<std::uint64_t> digests;  ///< one a spec
};

/// Empty if all copies have the same weights: equal boxes have equal digests wherever they are, and
/// the boxes of each tensor add up to the same in every copy. Else a sentence that names the tensor
/// and box, who has what, and, where most agree, who differs from them.
[[nodiscard]] std::string difference(std::span<const DigestedWeights> all);

/// The digest of all tensors of the first copy, which depends on their names. The same number for a
/// model on any layout.
[[nodiscard]] std::uint64_t model_digest(std::span<const DigestedWeights> all);

}  // namespace precis
