// Names of other programs for what a key, a word or a command does here: TRL and transformers,
// OpenRLHF, verl, NeMo-Aligner, OpenAI's lm-human-preferences. They are used in messages only.
#pragma once

#include <span>

#include "base/hints.hpp"

namespace precis {

/// For keys, and for the words that a key may have. Of rows with the same name, the first whose key
/// the command has counts.
[[nodiscard]] std::span<const Alias> known_aliases();

/// For commands.
[[nodiscard]] std::span<const Alias> command_aliases();

}  // namespace precis
