// What must be the same on every rank, compared before anything depends on it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parallel/rank_group.hpp"

namespace precis {

/// Something that a rank has found, such as a key with its value, or an input with its digest.
struct Fact {
  std::string name;   ///< begins a message: "--train.steps", "the digest of data.train"
  std::string value;  ///< short enough to be shown; only its beginning is, if it is not
};

/// Collective: returns if every rank gives the facts that rank 0 gives, in any order; else throws
/// AgreedError (status 1) on every rank. The message names the lowest rank that differs, both
/// hosts, what differs with both values, and then `remedy`. What is sent does not grow with the
/// number of ranks.
void agree_on(RankGroup& ranks, const std::vector<Fact>& mine, std::string_view remedy);

}  // namespace precis
