// Cores that other programs use, which a training with several threads feels.
#pragma once

#include "base/log.hpp"

namespace precis {

/// Warns where the machine's load is above its cores already, for a rank of several `threads`;
/// `ranks` are those of this machine.
void warn_of_busy_cores(int threads, int ranks, Log& log);

}  // namespace precis
