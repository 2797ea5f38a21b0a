// Comparisons that teach nothing, as both summaries are the same.
#pragma once

#include <string>

#include "base/log.hpp"
#include "data/comparisons.hpp"

namespace precis {

/// Warns where every pair has two equal summaries, and says how many have where some do. `where`
/// names the files. Summaries are equal if their tokens are: both get the same reward, so the loss
/// has no gradient.
void warn_of_equal_summaries(const Pairs& pairs, const std::string& where, Log& log);

}  // namespace precis
