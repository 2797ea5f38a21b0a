// The keys by which `label pairs` and `label simulate` draw pairs, and the drawing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/options.hpp"
#include "feedback/pairs.hpp"

namespace precis {

/// Where pairs come from, and which.
struct PairSource {
  std::string input;
  std::vector<std::string> samples;
  std::vector<std::string> policies = {"sft"};
  std::vector<std::string> mix;
  std::int64_t seed = 1;
  std::string batch;
  std::int64_t batches = 1;
  PairOptions pairs;
};

/// Registers the keys; `batch` has its default.
void add_pair_source(OptionTable& table, PairSource& source);

/// The first key of a PairSource that was given, but for the seed; empty if none was.
[[nodiscard]] std::string given_pair_key(const OptionTable& table);

/// Reads rows and samples, draws the pairs and names their batches; warns where there are fewer
/// than were asked for. Throws UsageError for keys that do not fit together, Error for files that
/// do not, and where no pair is left.
[[nodiscard]] DrawnPairs draw_pairs(const PairSource& source, const OptionTable& table, Log& log);

}  // namespace precis
