#include "feedback/audit.hpp"

#include <algorithm>
#include <functional>

#include "base/error.hpp"
#include "base/hints.hpp"
#include "base/text.hpp"
#include "synthetic/grammar.hpp"

namespace precis {
namespace {

std::vector<bool> find_researchers(const JudgedPairs& pairs,
                                   const std::vector<std::string>& names) {
  std::vector<bool> researchers(pairs.labelers.size());
  for (const std::string& name : names) {
    const auto found = std::find(pairs.labelers.begin(), pairs.labelers.end(), name);
    if (found == pairs.labelers.end()) {
      fail_usage("researchers names \"{}\", who made none of the comparisons; {} did.{}", name,
                 listed(pairs.labelers), question(meant_by(name, pairs.labelers)));
    }
    researchers[static_cast<std::size_t>(found - pairs.labelers.begin())] = true;
  }
  return researchers;
}

double anchor_of(const JudgedPairs& pairs, const JudgedPair& pair, AuditAnchor by,
                 const std::vector<bool>& researchers) {
  const auto sign = [](int choice) { return 2.0 * choice - 1; };
  double anchor = 0;
  if (by == AuditAnchor::gold) {
    anchor = pair.gold ? sign(*pair.gold) : 0;
  } else {
    for (const std::size_t i : pair.votes) {
      const PairVote& vote = pairs.votes[i];
      anchor += researchers[vote.labeler] ? sign(vote.choice) : 0;
    }
  }
  return anchor;
}

std::optional<Standard> choose_reference(const JudgedPairs& pairs, const Audit& audit) {
  const auto any = [&](Standard standard) {
    return std::any_of(pairs.votes.begin(), pairs.votes.end(), [&](const PairVote& vote) {
      return !audit.labelers[vote.labeler].researcher &&
             !choices_of(standard, pairs, audit, vote).empty();
    });
  };
  for (const Standard standard : {Standard::researchers, Standard::majority, Standard::gold}) {
    if (any(standard)) {
      return standard;
    }
  }
  return std::nullopt;
}

// 1 and 9 are equally sure: which of the two was shown first does not matter.
std::string confidence_name(const PairVote& vote) {
  if (!vote.confidence) {
    return "not given";
  }
  const int sure = sureness(vote);
  return sure == 0 ? "5" : fmt::format("{} or {}", 5 - sure, 5 + sure);
}

std::string policies_name(const JudgedPair& pair) {
  const auto shown = [](const std::string& name) { return name.empty() ? "not given" : name; };
  const auto [first, second] = std::minmax(pair.policies[0], pair.policies[1]);
  return fmt::format("{} and {}", shown(first), shown(second));
}

std::string batch_name(const std::string& batch) { return batch.empty() ? "not given" : batch; }

/// Agreement by a key that orders the groups, with their names.
template <class Key>
class Groups {
 public:
  void add(const Key& key, const std::string& name, const AgreementCount& count) {
    auto& group = groups_[key];
    group.name = name;
    group.count += count;
  }
  [[nodiscard]] std::vector<NamedAgreement> list() const {
    std::vector<NamedAgreement> list;
    for (const auto& [key, group] : groups_) {
      list.push_back(group);
    }
    return list;
  }

 private:
  std::map<Key, NamedAgreement> groups_;
};

AgreementCount agreement_with(const std::vector<int>& choices, int choice, std::uint64_t post) {
  AgreementCount count;
  for (const int other : choices) {
    count.add(other == choice, post);
  }
  return count;
}

void break_down(const JudgedPairs& pairs, Audit& audit) {
  if (!audit.reference) {
    return;
  }
  const auto by_sureness = [](const PairVote& vote) {
    return vote.confidence ? -sureness(vote) : 1;  // the surest first, "not given" last
  };
  struct Breakdown {
    Groups<int> confidence;
    Groups<std::size_t> batch;
  };
  Breakdown all;
  Groups<std::string> policies;
  std::vector<Breakdown> of_labeler(pairs.labelers.size());
  for (const PairVote& vote : pairs.votes) {
    const auto count = agreement_with(choices_of(*audit.reference, pairs, audit, vote), vote.choice,
                                      pairs.pairs[vote.pair].post_number);
    if (count.pairs == 0) {
      continue;
    }
    const auto add = [&](Breakdown& to) {
      to.confidence.add(by_sureness(vote), confidence_name(vote), count);
      to.batch.add(vote.batch, batch_name(pairs.batches[vote.batch]), count);
    };
    add(of_labeler[vote.labeler]);
    if (!audit.labelers[vote.labeler].researcher) {
      add(all);
      const std::string name = policies_name(pairs.pairs[vote.pair]);
      policies.add(name, name, count);
    }
  }
  audit.by_confidence = all.confidence.list();
  audit.by_batch = all.batch.list();
  audit.by_policies = policies.list();
  for (std::size_t l = 0; l < of_labeler.size(); ++l) {
    audit.labelers[l].by_confidence = of_labeler[l].confidence.list();
    audit.labelers[l].by_batch = of_labeler[l].batch.list();
  }
}

void count_agreement(const JudgedPairs& pairs, Audit& audit) {
  for (const PairVote& vote : pairs.votes) {
    LabelerAudit& labeler = audit.labelers[vote.labeler];
    const JudgedPair& pair = pairs.pairs[vote.pair];
    ++labeler.judgements;
    labeler.first_shown.add(vote.first_shown, pair.post_number);
    const int words[2] = {count_words(pair.texts[0]), count_words(pair.texts[1])};
    if (words[0] != words[1]) {
      labeler.longer.add((words[1] > words[0]) == (vote.choice == 1), pair.post_number);
    }
    for (const Standard standard : all_standards) {
      labeler.agreement[static_cast<std::size_t>(standard)] +=
          agreement_with(choices_of(standard, pairs, audit, vote), vote.choice, pair.post_number);
    }
  }
}

void sum_matrix(Audit& audit) {
  using Kind = AgreementMatrix::Kind;
  const auto& judges = audit.matrix.judges;
  for (std::size_t i = 0; i < judges.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const AgreementCount& cell = audit.matrix.cells[i][j];
      const auto [low, high] = std::minmax(judges[i].kind, judges[j].kind);
      if (high == Kind::labeler && i != j) {
        audit.labeler_labeler += cell;
      } else if (low == Kind::labeler && high == Kind::researchers) {
        audit.labeler_researcher += cell;
      } else if (low == Kind::researchers && high == Kind::researchers) {
        audit.researcher_researcher += cell;
      }
    }
  }
}

}  // namespace

std::string name_of(Standard standard) {
  constexpr const char* names[] = {"researchers", "the others' majority", "the others' consensus",
                                   "gold", "the reward model"};
  return names[static_cast<std::size_t>(standard)];
}

std::vector<int> choices_of(Standard standard, const JudgedPairs& pairs, const Audit& audit,
                            const PairVote& vote) {
  const JudgedPair& pair = pairs.pairs[vote.pair];
  const auto one = [](std::optional<int> choice) {
    return choice ? std::vector<int>{*choice} : std::vector<int>{};
  };
  std::vector<int> choices;
  int ones = 0;
  bool known = false;  // Another labeler's reliability.
  for (const std::size_t i : pair.votes) {
    const PairVote& other = pairs.votes[i];
    const LabelerAudit& by = audit.labelers[other.labeler];
    if (other.labeler != vote.labeler) {
      ones += 2 * other.choice - 1;
      known = known || by.reliability.has_value();
      if (by.researcher) {
        choices.push_back(other.choice);
      }
    }
  }
  switch (standard) {
    case Standard::researchers:
      return choices;
    case Standard::majority:
      return ones == 0 ? std::vector<int>{} : std::vector<int>{ones > 0 ? 1 : 0};
    case Standard::consensus:
      return known ? std::vector<int>{audit.consensus.without(audit.ballots[vote.pair],
                                                              vote.labeler) > 0.5
                                          ? 1
                                          : 0}
                   : std::vector<int>{};
    case Standard::gold:
      return one(pair.gold);
    case Standard::reward:
      return one(pair.reward);
  }
  return {};
}

Audit audit_labelers(const JudgedPairs& pairs, const AuditOptions& options) {
  const auto researchers = find_researchers(pairs, options.researchers);
  Audit audit;
  audit.matrix = agreement_matrix(pairs, researchers);
  sum_matrix(audit);
  for (const JudgedPair& pair : pairs.pairs) {
    Ballot& ballot = audit.ballots.emplace_back();
    ballot.anchor = anchor_of(pairs, pair, options.anchor, researchers);
    for (const std::size_t i : pair.votes) {
      ballot.votes.push_back({pairs.votes[i].labeler, pairs.votes[i].choice});
    }
    audit.judged_by_several += pair.votes.size() > 1 ? 1 : 0;
    audit.anchored = audit.anchored || (ballot.anchor != 0 && pair.votes.size() > 1);
  }
  audit.consensus = dawid_skene(audit.ballots, pairs.labelers.size());
  for (std::size_t l = 0; l < pairs.labelers.size(); ++l) {
    LabelerAudit& labeler = audit.labelers.emplace_back();
    labeler.name = pairs.labelers[l];
    labeler.researcher = researchers[l];
    labeler.reliability = audit.consensus.labelers[l];
    labeler.repeats = pairs.repeats[l];
    labeler.contradicted = pairs.contradicted[l];
  }
  count_agreement(pairs, audit);
  audit.reference = choose_reference(pairs, audit);
  break_down(pairs, audit);
  return audit;
}

std::map<std::string, double> worker_weights(const Audit& audit) {
  std::map<std::string, double> weights;
  for (const LabelerAudit& labeler : audit.labelers) {
    if (labeler.reliability) {
      weights[labeler.name] = std::max(0.0, 2 * labeler.reliability->accuracy - 1);
    }
  }
  return weights;
}

}  // namespace precis
