// The check that a command's outputs are not its inputs.
#pragma once

#include "base/options.hpp"

namespace precis {

/// Throws UsageError, naming both keys, if a file that the command writes is one that it reads or
/// writes already, or lies in a folder that it reads, however it is spelled. For keys that were
/// registered with a FileUse, and the deck.
void require_separate_outputs(const OptionTable& options);

}  // namespace precis
