// Judgements that a file holds several times.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "data/comparisons.hpp"

namespace precis {

/// Tells duplicate judgements. Of a named labeler that is the same pair of texts and policies with
/// the same choice, in either order; without a name rows that agree in all that is read of them, as
/// several people may stand behind an empty name.
class RepeatedJudgements {
 public:
  /// Whether the judgement was not there yet.
  [[nodiscard]] bool is_new(const Comparison& judgement);
  /// How many were there already.
  [[nodiscard]] std::int64_t count() const { return count_; }

 private:
  std::unordered_set<std::string> known_;
  std::int64_t count_ = 0;
};

/// "3 duplicate judgements (same pair, labeler and choice) were counted once."
[[nodiscard]] std::string repeated_text(std::int64_t count);

}  // namespace precis
