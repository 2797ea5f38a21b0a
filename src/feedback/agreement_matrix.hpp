// Who agrees with whom: labelers, researchers as a group, the gold labeler and a reward model.
#pragma once

#include <string>
#include <vector>

#include "feedback/judged_pairs.hpp"

namespace precis {

struct AgreementMatrix {
  enum class Kind { labeler, researchers, gold, reward };
  struct Judge {
    std::string name;
    Kind kind = Kind::labeler;
  };
  std::vector<Judge> judges;
  /// Symmetric. Each researcher's judgement counts, so that two of them on a labeler's pair count
  /// twice. On the diagonal: for a labeler, repeated judgements of a pair; for the researchers, two
  /// of them on a pair; else nothing.
  std::vector<std::vector<AgreementCount>> cells;
};

/// `researchers` says of each labeler whether it is one. Gold, reward model and researchers are
/// there if they judged any pair.
[[nodiscard]] AgreementMatrix agreement_matrix(const JudgedPairs& pairs,
                                               const std::vector<bool>& researchers);

}  // namespace precis
