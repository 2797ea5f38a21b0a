#include "feedback/audit_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include "base/estimates.hpp"
#include "base/text.hpp"
#include "feedback/repeated_judgements.hpp"

namespace precis {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t name_width = 20;

// Names come from files: control characters in them must not reach a terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

// The name in `width` columns: cut at a whole character, and padded by what it takes on a screen.
std::string cell(const std::string& name, std::size_t width) {
  std::string text;
  std::size_t columns = 0;
  for (const char c : printable(name)) {
    const bool begins = (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    if (begins && columns == width) {
      break;
    }
    columns += begins ? 1 : 0;
    text += c;
  }
  return text + std::string(width - columns, ' ');
}

std::string short_share(const AgreementCount& count) {
  return count.pairs > 0 ? fmt::format("{:.2f}", static_cast<double>(count.agreed) /
                                                     static_cast<double>(count.pairs))
                         : "-";
}

// "0.712 (0.65 to 0.77)"
std::string share_text(const AgreementCount& count) {
  if (count.pairs == 0) {
    return "-";
  }
  const Rate rate = count.rate();
  return fmt::format("{:.3f} ({:.2f} to {:.2f})", rate.rate, rate.low, rate.high);
}

constexpr const char* too_few = "too few judgements to tell";

// ", too few judgements to tell", or nothing.
std::string remark_on(const AgreementCount& count) {
  if (count.pairs == 0) {
    return "";
  }
  const Rate rate = count.rate();
  return too_wide_to_tell(rate.low, rate.high) ? fmt::format(", {}", too_few) : "";
}

std::string breakdown(const std::string& title, const std::vector<NamedAgreement>& groups) {
  std::string text = groups.empty() ? ""
                                    : fmt::format("\n{} {:>8}  agreement (95%)\n",
                                                  cell(title, name_width), "pairs");
  for (const NamedAgreement& group : groups) {
    text += fmt::format("{} {:>8}  {}{}\n", cell(group.name, name_width), group.count.pairs,
                        share_text(group.count), remark_on(group.count));
  }
  return text;
}

std::string matrix_text(const AgreementMatrix& matrix) {
  constexpr std::size_t width = 12;
  const auto& judges = matrix.judges;
  std::string text = "\nAgreement, and the pairs that both judged:\n" + cell("", name_width);
  for (const auto& judge : judges) {
    text += " " + cell(judge.name, width);
  }
  for (std::size_t i = 0; i < judges.size(); ++i) {
    text += "\n" + cell(judges[i].name, name_width);
    for (const AgreementCount& count : matrix.cells[i]) {
      const std::string number = count.pairs > 0 ? fmt::format("{:>7}", count.pairs) : "";
      text += fmt::format(" {:<{}}", short_share(count) + number, width);
    }
  }
  return text + "\n";
}

// The least reliable first, those without an estimate last.
std::vector<const LabelerAudit*> by_accuracy(const Audit& audit) {
  std::vector<const LabelerAudit*> list;
  for (const LabelerAudit& labeler : audit.labelers) {
    list.push_back(&labeler);
  }
  std::stable_sort(list.begin(), list.end(), [](const LabelerAudit* a, const LabelerAudit* b) {
    const auto key = [](const LabelerAudit* labeler) {
      return labeler->reliability ? labeler->reliability->accuracy : 2;
    };
    return key(a) < key(b);
  });
  return list;
}

std::string labelers_text(const Audit& audit) {
  constexpr std::array<std::string_view, all_standards.size()> columns = {
      "researchers", "majority", "consensus", "gold", "reward"};
  const auto is_used = [&](Standard standard) {
    return std::any_of(
        audit.labelers.begin(), audit.labelers.end(),
        [&](const LabelerAudit& labeler) { return labeler.with(standard).pairs > 0; });
  };
  std::string text = fmt::format("\n{} {:>6}  {:<22} {:>6}", cell("labeler", name_width), "judged",
                                 "accuracy (95%)", "weight");
  std::vector<Standard> used;
  std::copy_if(all_standards.begin(), all_standards.end(), std::back_inserter(used), is_used);
  const auto width = [&](Standard standard) {
    return std::max<std::size_t>(6, columns[static_cast<std::size_t>(standard)].size());
  };
  for (const Standard standard : used) {
    text += fmt::format(" {:>{}}", columns[static_cast<std::size_t>(standard)], width(standard));
  }
  text += fmt::format(" {:>6} {:>6}", "first", "longer");
  const auto weights = worker_weights(audit);
  for (const LabelerAudit* const labeler : by_accuracy(audit)) {
    const LabelerAudit& audited = *labeler;
    const std::string name = shown_name(audited.name) + (audited.researcher ? " *" : "");
    text += fmt::format("\n{} {:>6}", cell(name, name_width), audited.judgements);
    if (audited.reliability) {
      const Reliability& r = *audited.reliability;
      text += fmt::format("  {:<22} {:>6.2f}",
                          fmt::format("{:.3f} ({:.2f} to {:.2f})", r.accuracy, r.low, r.high),
                          weights.at(audited.name));
    } else {
      text += fmt::format("  {:<22} {:>6}", "not known", "-");
    }
    for (const Standard standard : used) {
      text += fmt::format(" {:>{}}", short_share(audited.with(standard)), width(standard));
    }
    text +=
        fmt::format(" {:>6} {:>6}", short_share(audited.first_shown), short_share(audited.longer));
  }
  return text +
         "\n(accuracy: estimated together with the consensus, by Dawid & Skene, its interval over "
         "pairs, by the model;\nweight: max(0, 2 accuracy - 1); then the agreement with each "
         "standard, and how often\nthe summary shown first and the longer one were chosen; *: a "
         "researcher)\n";
}

std::string names_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  const auto shown = std::min(most, names.size());
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  return names.size() > most ? fmt::format("{} and {} more", text, names.size() - most) : text;
}

std::string remarks(const JudgedPairs& pairs, const Audit& audit) {
  std::string text;
  std::vector<std::string> unknown, unsure, contradicting;
  for (const LabelerAudit& labeler : audit.labelers) {
    const std::string name = printable(shown_name(labeler.name));
    const std::string verdict = verdict_on(labeler);
    if (verdict == too_few) {
      unsure.push_back(name);
    } else if (!verdict.empty()) {
      text += fmt::format("{} {}.\n", name, verdict);
    }
    if (!labeler.reliability) {
      unknown.push_back(name);
    }
    if (labeler.contradicted > 0) {
      contradicting.push_back(fmt::format("{} ({})", name, counted(labeler.contradicted, "pair")));
    }
  }
  if (!unsure.empty()) {
    text += fmt::format(
        "Too few judgements to tell how good {} {}: the interval of the accuracy is wider than a "
        "quarter.\n",
        names_of(unsure), unsure.size() == 1 ? "is" : "are");
  }
  if (!contradicting.empty()) {
    text +=
        fmt::format("Judged both ways by the same labeler, and left out for this labeler: {}.\n",
                    names_of(contradicting));
  }
  if (pairs.repeated > 0) {
    text += repeated_text(pairs.repeated) + "\n";
  }
  if (audit.judged_by_several == 0) {
    text +=
        "No pair was judged by two labelers: nothing can be said about their reliability without "
        "gold. Let at least three labelers judge some pairs in common.\n";
  } else if (!unknown.empty()) {
    text += fmt::format(
        "The accuracy of {} is not known: it takes pairs in common with at least two others who "
        "have pairs in common too.\n",
        names_of(unknown));
  } else if (!audit.anchored) {
    text +=
        "The estimate assumes that the labelers, taken together, are right more often than wrong; "
        "if most of them may be bad, name researchers to compare with.\n";
  }
  if (!audit.consensus.converged && unknown.size() < audit.labelers.size()) {
    text += fmt::format("The estimate had not converged after {} iterations.\n",
                        audit.consensus.iterations);
  }
  if (pairs.identical > 0) {
    text +=
        fmt::format("{} of two equal texts left out.\n", counted(pairs.identical, "comparison"));
  }
  return text.empty() ? text : "\n" + text;
}

Json share_json(const AgreementCount& count) {
  if (count.pairs == 0) {
    return nullptr;
  }
  const Rate rate = count.rate();
  return {{"agreed", count.agreed},
          {"pairs", count.pairs},
          {"share", rate.rate},
          {"low", rate.low},
          {"high", rate.high}};
}

Json groups_json(const std::vector<NamedAgreement>& groups) {
  Json list = Json::array();
  for (const NamedAgreement& group : groups) {
    Json entry{{"name", group.name}};
    entry.update(share_json(group.count));
    list.push_back(entry);
  }
  return list;
}

Json matrix_json(const AgreementMatrix& matrix) {
  constexpr const char* kinds[] = {"labeler", "researchers", "gold", "reward"};
  Json judges = Json::array();
  Json cells = Json::array();
  for (const auto& judge : matrix.judges) {
    judges.push_back({{"name", judge.name}, {"kind", kinds[static_cast<std::size_t>(judge.kind)]}});
  }
  for (const auto& row : matrix.cells) {
    Json line = Json::array();
    for (const AgreementCount& count : row) {
      line.push_back(share_json(count));
    }
    cells.push_back(line);
  }
  return {{"judges", judges}, {"cells", cells}};
}

constexpr const char* standard_keys[] = {"researchers", "majority", "consensus", "gold", "reward"};

Json labeler_json(const LabelerAudit& labeler, const std::map<std::string, double>& weights) {
  Json json{{"worker", labeler.name},
            {"researcher", labeler.researcher},
            {"judgements", labeler.judgements}};
  for (const char* key : {"accuracy", "accuracy_low", "accuracy_high", "right_on_first",
                          "right_on_second", "weight"}) {
    json[key] = nullptr;
  }
  if (labeler.reliability) {
    json["accuracy"] = labeler.reliability->accuracy;
    json["accuracy_low"] = labeler.reliability->low;
    json["accuracy_high"] = labeler.reliability->high;
    json["right_on_first"] = labeler.reliability->right_on_0;
    json["right_on_second"] = labeler.reliability->right_on_1;
    json["weight"] = weights.at(labeler.name);
  }
  for (const Standard standard : all_standards) {
    json[standard_keys[static_cast<std::size_t>(standard)]] = share_json(labeler.with(standard));
  }
  json["verdict"] = verdict_on(labeler);
  json["repeats"] = share_json(labeler.repeats);
  json["contradicted"] = labeler.contradicted;
  json["first_shown"] = share_json(labeler.first_shown);
  json["longer"] = share_json(labeler.longer);
  json["by_batch"] = groups_json(labeler.by_batch);
  json["by_confidence"] = groups_json(labeler.by_confidence);
  return json;
}

}  // namespace

std::string verdict_on(const LabelerAudit& labeler) {
  if (!labeler.reliability) {
    return "";
  }
  if (labeler.reliability->high < 0.5) {
    return "is worse than chance: prefers what the others reject";
  }
  if (too_wide_to_tell(labeler.reliability->low, labeler.reliability->high)) {
    return too_few;
  }
  return labeler.reliability->low < 0.55 ? "may be little better than chance" : "";
}

std::string to_text(const JudgedPairs& pairs, const Audit& audit) {
  std::string text =
      fmt::format("{} of {} by {}; {} judged by several.\n",
                  counted(static_cast<std::int64_t>(pairs.votes.size()), "judgement"),
                  counted(static_cast<std::int64_t>(pairs.pairs.size()), "pair"),
                  counted(static_cast<std::int64_t>(pairs.labelers.size()), "labeler"),
                  counted(audit.judged_by_several, "pair"));
  text += labelers_text(audit);
  if (audit.matrix.judges.size() <= most_shown_judges) {
    text += matrix_text(audit.matrix);
  }
  for (const auto& [name, count] :
       {std::pair("Labelers and researchers agree on", audit.labeler_researcher),
        std::pair("Labelers agree with each other on", audit.labeler_labeler),
        std::pair("Researchers agree with each other on", audit.researcher_researcher)}) {
    if (count.pairs > 0) {
      text += fmt::format("\n{} {} of {} judgements{}", name, share_text(count), count.pairs,
                          remark_on(count));
    }
  }
  text += "\n";
  if (audit.reference) {
    text += fmt::format("\nAgreement of the labelers with {}:\n", name_of(*audit.reference));
    text += breakdown("confidence", audit.by_confidence);
    text += breakdown("policies", audit.by_policies);
    text += breakdown("batch", audit.by_batch);
  }
  return text + remarks(pairs, audit);
}

Json to_json(const JudgedPairs& pairs, const Audit& audit) {
  Json json{{"format", "precis audit 1"},
            {"judgements", pairs.votes.size()},
            {"pairs", pairs.pairs.size()},
            {"judged_by_several", audit.judged_by_several},
            {"equal_texts", pairs.identical},
            {"repeated", pairs.repeated},
            {"reference",
             audit.reference ? standard_keys[static_cast<std::size_t>(*audit.reference)] : "none"}};
  json["matrix"] = matrix_json(audit.matrix);
  json["labeler_researcher"] = share_json(audit.labeler_researcher);
  json["labeler_labeler"] = share_json(audit.labeler_labeler);
  json["researcher_researcher"] = share_json(audit.researcher_researcher);
  json["by_confidence"] = groups_json(audit.by_confidence);
  json["by_policies"] = groups_json(audit.by_policies);
  json["by_batch"] = groups_json(audit.by_batch);
  json["estimate"] = {{"iterations", audit.consensus.iterations},
                      {"converged", audit.consensus.converged},
                      {"anchored", audit.anchored}};
  json["workers"] = Json::array();
  const auto weights = worker_weights(audit);
  for (const LabelerAudit& labeler : audit.labelers) {
    json["workers"].push_back(labeler_json(labeler, weights));
  }
  return json;
}

}  // namespace precis
