// The traits of simulated labelers as they are written on the command line.
#pragma once

#include <string>
#include <vector>

#include "feedback/simulated_labeler.hpp"

namespace precis {

/// Reads labelers such as "ann", "bob:length" and "gus:temperature=0.4:drift=0.5": a name, then
/// traits, each with its strength or the trait's default. What no trait says is as in `base`.
/// Throws UsageError naming the labeler and what is expected.
[[nodiscard]] std::vector<Labeler> parse_labelers(const std::vector<std::string>& items,
                                                  const Labeler& base);

/// Every trait with its formula, default and range, for help.
[[nodiscard]] std::string describe_traits();

}  // namespace precis
