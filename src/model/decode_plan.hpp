// The places of the next tokens of some sequences, for several decode steps at once.
#pragma once

#include <cstdint>
#include <span>

#include "device/workspace.hpp"
#include "model/kv_cache.hpp"

namespace precis {

/// Where one more token of each of B sequences goes, on the device. All i32.
struct DecodePlaces {
  ConstView positions;  // (B) in the sequence
  ConstView slots;      // (B) in the cache
  ConstView lengths;    // (B): the sequence's cached tokens, this one included
  ConstView tables;     // (B,M): the sequence's blocks
};

/// Every step gives each sequence one token, so that all places are known before the first token is
/// sampled, and the steps can be put into the queue without a look at what they sample.
class DecodePlan {
 public:
  /// Makes room in the cache for `steps` tokens of each sequence, but `most[b]` at most: a sequence
  /// that has them all repeats its last place. `width`: the most blocks of a sequence, see
  /// KvCache::tables. The places are taken from `workspace`.
  DecodePlan(Workspace& workspace, KvCache& cache, std::span<const int> sequences,
             std::span<const std::int64_t> most, std::int64_t steps, std::int64_t width);

  [[nodiscard]] DecodePlaces at(std::int64_t step) const;

 private:
  View positions_, slots_, lengths_;  // (steps, B)
  View tables_;                       // (B, width)
};

}  // namespace precis
