// What comparisons by several labelers say about the labelers.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "feedback/agreement_matrix.hpp"
#include "feedback/dawid_skene.hpp"
#include "feedback/judged_pairs.hpp"

namespace precis {

/// What a judgement is compared with.
enum class Standard {
  researchers,  ///< each other researcher who judged the pair
  majority,     ///< of the other labelers; ties count nowhere
  consensus,    ///< of the other labelers, weighed by their reliability (Dawid & Skene)
  gold,
  reward
};
inline constexpr std::array<Standard, 5> all_standards = {Standard::researchers, Standard::majority,
                                                          Standard::consensus, Standard::gold,
                                                          Standard::reward};
/// "researchers", "the others' majority", "the others' consensus", "gold", "the reward model".
[[nodiscard]] std::string name_of(Standard standard);

/// Who decides which of the two mirrored solutions of the consensus is the true one.
enum class AuditAnchor { researchers, gold };

struct AuditOptions {
  std::vector<std::string> researchers;  ///< names of workers
  AuditAnchor anchor = AuditAnchor::researchers;
};

struct NamedAgreement {
  std::string name;
  AgreementCount count;
};

struct LabelerAudit {
  std::string name;  ///< as in the file
  bool researcher = false;
  std::int64_t judgements = 0;
  std::optional<Reliability> reliability;
  std::array<AgreementCount, all_standards.size()> agreement;
  AgreementCount repeats;         ///< as in JudgedPairs
  std::int64_t contradicted = 0;  ///< pairs left out, as they were judged both ways
  AgreementCount first_shown;     ///< the summary that was shown first was chosen
  AgreementCount longer;          ///< the one with more words was chosen; equal lengths left out
  std::vector<NamedAgreement> by_confidence, by_batch;  ///< with Audit::reference

  [[nodiscard]] const AgreementCount& with(Standard standard) const {
    return agreement[static_cast<std::size_t>(standard)];
  }
};

struct Audit {
  std::int64_t judged_by_several = 0;  ///< pairs
  AgreementMatrix matrix;
  AgreementCount labeler_researcher, labeler_labeler, researcher_researcher;
  /// What the breakdowns compare labelers with: researchers if there are some, else the others'
  /// majority if pairs are judged by several, else gold; nothing without any of these.
  std::optional<Standard> reference;
  std::vector<NamedAgreement> by_confidence;  ///< the surest first
  std::vector<NamedAgreement> by_policies;    ///< by name
  std::vector<NamedAgreement> by_batch;       ///< in the order of JudgedPairs
  std::vector<LabelerAudit> labelers;         ///< as in JudgedPairs
  std::vector<Ballot> ballots;                ///< of each pair
  Consensus consensus;
  bool anchored = false;  ///< researchers or gold could choose the sign
};

/// Throws UsageError for a researcher who made no judgement.
[[nodiscard]] Audit audit_labelers(const JudgedPairs& pairs, const AuditOptions& options);

/// The choices that a judgement is compared with by this standard; empty if there are none.
[[nodiscard]] std::vector<int> choices_of(Standard standard, const JudgedPairs& pairs,
                                          const Audit& audit, const PairVote& vote);

/// max(0, 2 accuracy - 1) for each labeler with an estimate. The expected vote of a labeler (as +1
/// or -1) is 2 accuracy - 1 times the truth, and so is the expected gradient that a comparison
/// adds, while its noise is about the same for all: a sum has the highest ratio of signal to noise
/// with weights in proportion to the signal. It is also, to first order and halved, the log-odds
/// of the accuracy, the best weight of a vote (Nitzan & Paroush 1982), and as the weight of Karger,
/// Oh & Shah (2014) bounded where those are not.
[[nodiscard]] std::map<std::string, double> worker_weights(const Audit& audit);

}  // namespace precis
