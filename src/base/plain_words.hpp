// Words on the command line that are neither keys nor values, and no decks either.
#pragma once

#include <span>
#include <string>

#include "base/options.hpp"

namespace precis {

/// Throws UsageError for a plain word among `words` that is meant as something else than a deck or
/// a file, with the way to write it: `-s`, `train.lr=1e-5`, and what a shell has made of a pattern
/// behind `--key` (`--input a.jsonl b.jsonl`).
void check_plain_word(const OptionTable& table, std::span<const std::string> words,
                      const std::string& word);

}  // namespace precis
