// In which order the stages of a model generate: the sequences are in groups that circulate.
#pragma once

#include <vector>

namespace precis {

/// The groups of sequences that a stage works on in a round, one turn each; every stage has the
/// same order. A turn takes in prompts of the group, or decodes a token of each of its sequences;
/// it needs the turn of the stage before it, and, on the first stage, what the last stage sampled
/// in the group's turn before. With as many groups as stages, each stage works on another group at
/// any time, and none waits once all groups are on their way.
[[nodiscard]] std::vector<int> decode_round(int stages);

}  // namespace precis
