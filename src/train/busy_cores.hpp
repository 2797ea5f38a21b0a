// Cores that other programs use, which a training with several threads feels.
#pragma once

#include "base/log.hpp"

namespace precis {

/// Warns if other programs already keep the machine's cores busy, for ranks of several `threads`;
/// `ranks` are those of this machine.
void warn_of_busy_cores(int threads, int ranks, Log& log);

}  // namespace precis
