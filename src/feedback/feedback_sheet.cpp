#include "feedback/feedback_sheet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

#include "base/estimates.hpp"
#include "base/text.hpp"
#include "feedback/audit_report.hpp"
#include "io/output_file.hpp"
#include "io/output_folder.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/table.hpp"

namespace precis {
namespace {

constexpr const char* index_file = "index.html";

std::string card(const std::string& name, const std::string& value, const std::string& note) {
  return fmt::format(
      "<div class=\"card\"><div class=\"name\">{}</div><div class=\"value\">{}</div>"
      "<div class=\"note\">{}</div></div>\n",
      escaped(name), escaped(value), escaped(note));
}

std::string percent(double share) { return fmt::format("{:.0f}%", 100 * share); }

std::string interval_text(double low, double high) {
  return fmt::format("{} to {}", percent(low), percent(high));
}

// "", or that there are too few to tell.
std::string remark_on(const Rate& rate) {
  return too_wide_to_tell(rate.low, rate.high) ? ", too few judgements to tell" : "";
}

// "71% (65% to 77%)"
std::string share_text(const AgreementCount& count) {
  if (count.pairs == 0) {
    return "-";
  }
  const Rate rate = count.rate();
  return fmt::format("{} ({}){}", percent(rate.rate), interval_text(rate.low, rate.high),
                     remark_on(rate));
}

std::string share_card(const std::string& name, const AgreementCount& count) {
  if (count.pairs == 0) {
    return "";
  }
  const Rate rate = count.rate();
  return card(name, percent(rate.rate),
              fmt::format("{} ({} of {}){}", interval_text(rate.low, rate.high), count.agreed,
                          count.pairs, remark_on(rate)));
}

std::string cards(const LabelerAudit& labeler) {
  std::string html = "<div class=\"cards\">\n";
  html += card("Judgements", with_thousands(labeler.judgements), "");
  for (const Standard standard : all_standards) {
    html += share_card("Agrees with " + name_of(standard), labeler.with(standard));
  }
  if (labeler.reliability) {
    const Reliability& r = *labeler.reliability;
    html += card("Estimated accuracy", percent(r.accuracy),
                 interval_text(r.low, r.high) +
                     remark_on({.rate = r.accuracy, .low = r.low, .high = r.high}));
  }
  html += share_card("Same choice when a pair came again", labeler.repeats);
  html +=
      "</div>\n<p class=\"note\">Below each share: its 95% interval. The estimated accuracy is "
      "found together with the consensus (Dawid and Skene 1979), its interval over pairs, by the "
      "model. Repeats within a batch are not counted unless the two were shown in the other order: "
      "they may be copies.</p>\n";
  return labeler.contradicted == 0
             ? html
             : html + fmt::format("<p class=\"note\">Judged both ways, and left out: {}.</p>\n",
                                  counted(labeler.contradicted, "pair"));
}

// The sum over the labelers that `choose` accepts.
template <class Choose>
AgreementCount sum_over(const Audit& audit, AgreementCount LabelerAudit::*count, Choose choose) {
  AgreementCount sum;
  for (const LabelerAudit& labeler : audit.labelers) {
    if (choose(labeler)) {
      sum += labeler.*count;
    }
  }
  return sum;
}

std::string biases(const Audit& audit, const LabelerAudit& audited) {
  const bool any_researcher =
      std::any_of(audit.labelers.begin(), audit.labelers.end(),
                  [](const LabelerAudit& labeler) { return labeler.researcher; });
  const auto others = [&](const LabelerAudit& labeler) {
    return &labeler != &audited && (!any_researcher || labeler.researcher);
  };
  Table table{.columns = {{"How often chosen"},
                          {"this labeler", true},
                          {any_researcher ? "researchers" : "all others", true}},
              .rows = {}};
  const auto add = [&](const char* name, AgreementCount LabelerAudit::*count) {
    table.rows.push_back(
        {name, share_text(audited.*count), share_text(sum_over(audit, count, others))});
  };
  add("the longer summary (in words)", &LabelerAudit::longer);
  add("the summary shown first", &LabelerAudit::first_shown);
  return "<h2>Length and position</h2>\n<p>One half would be no preference by position. Longer "
         "summaries may be better: compare with the other column.</p>\n" +
         to_html(table);
}

std::string group_table(const std::string& column, const std::vector<NamedAgreement>& groups) {
  Table table{.columns = {{column}, {"judgements", true}, {"agreement (95%)", true}}, .rows = {}};
  for (const NamedAgreement& group : groups) {
    table.rows.push_back({group.name, with_thousands(group.count.pairs), share_text(group.count)});
  }
  return to_html(table);
}

std::string trend(const Audit& audit, const LabelerAudit& labeler) {
  if (!audit.reference || labeler.by_batch.empty()) {
    return "";
  }
  std::string html =
      fmt::format("<h2>Agreement with {} over time</h2>\n", escaped(name_of(*audit.reference)));
  if (labeler.by_batch.size() > 1) {
    Series series{.name = "agreement", .x = {}, .y = {}};
    series.points = true;
    for (const NamedAgreement& batch : labeler.by_batch) {
      const Rate rate = batch.count.rate();
      series.x.push_back(static_cast<double>(series.x.size() + 1));
      series.y.push_back(rate.rate);
      series.low.push_back(rate.low);
      series.high.push_back(rate.high);
    }
    html += "<div class=\"charts\">\n" +
            to_svg(LineChart{.title = "Agreement by batch",
                             .x_label = "batch",
                             .y_label = "share",
                             .series = {series},
                             .y_low = 0,
                             .y_high = 1,
                             .level = 0.5,
                             .level_name = "chance",
                             .labels = false}) +
            "</div>\n";
  }
  html += group_table("batch", labeler.by_batch);
  return html + "<h2>By confidence</h2>\n" + group_table("confidence", labeler.by_confidence);
}

// Judgements that differ from the standard, the surest first, then in order.
std::vector<const PairVote*> differences(const JudgedPairs& pairs, const Audit& audit,
                                         std::size_t labeler, Standard standard) {
  std::vector<const PairVote*> list;
  for (const PairVote& vote : pairs.votes) {
    if (vote.labeler != labeler) {
      continue;
    }
    const auto choices = choices_of(standard, pairs, audit, vote);
    const auto differing = std::count(choices.begin(), choices.end(), 1 - vote.choice);
    if (2 * differing > static_cast<std::ptrdiff_t>(choices.size())) {
      list.push_back(&vote);
    }
  }
  std::stable_sort(list.begin(), list.end(), [](const PairVote* a, const PairVote* b) {
    return sureness(*a) > sureness(*b);
  });
  return list;
}

std::string pair_html(const JudgedPairs& pairs, const PairVote& vote, Standard standard) {
  const JudgedPair& pair = pairs.pairs[vote.pair];
  const auto text = [&](int side, const std::string& name) {
    return fmt::format(
        "<div><div class=\"name\">{}</div><div class=\"text\" dir=\"auto\">{}</div></div>\n",
        escaped(name), escaped(trimmed(pair.texts[static_cast<std::size_t>(side)])));
  };
  std::string place = pair.post.subreddit.empty() ? "" : "r/" + pair.post.subreddit;
  if (!pairs.batches[vote.batch].empty()) {
    place += (place.empty() ? "" : ", ") + ("batch " + pairs.batches[vote.batch]);
  }
  const std::string sure = vote.confidence ? fmt::format("{}", *vote.confidence) : "not given";
  return fmt::format(
             "<section class=\"post\">\n<h3 dir=\"auto\">{}</h3>\n<p class=\"note\">{}</p>\n"
             "<div class=\"text\" dir=\"auto\">{}</div>\n<p class=\"note\">Confidence given: {} "
             "(1: surely the first shown, 9: surely the second)</p>\n<div class=\"side\">\n",
             escaped(pair.post.title), escaped(place), escaped(pair.post.body), escaped(sure)) +
         text(vote.choice, "this labeler's choice") +
         text(1 - vote.choice, "the choice of " + name_of(standard)) + "</div>\n</section>\n";
}

std::string differences_html(const JudgedPairs& pairs, const Audit& audit, std::size_t labeler,
                             std::size_t most_shown) {
  const LabelerAudit& audited = audit.labelers[labeler];
  for (const Standard standard : {Standard::researchers, Standard::consensus, Standard::gold}) {
    if (audited.with(standard).pairs == 0) {
      continue;
    }
    const auto list = differences(pairs, audit, labeler, standard);
    const auto shown = std::min(most_shown, list.size());
    std::string html = fmt::format(
        "<h2>Where {} chose otherwise</h2>\n<p>{} shown of {}, those with the highest confidence "
        "first.</p>\n",
        escaped(name_of(standard)), shown,
        counted(static_cast<std::int64_t>(list.size()), "such judgement"));
    for (std::size_t i = 0; i < shown; ++i) {
      html += pair_html(pairs, *list[i], standard);
    }
    return html;
  }
  return "<p class=\"warning\">There is nothing to compare these judgements with: no researcher, "
         "no other labeler with a known reliability and no gold judged the same pairs.</p>\n";
}

std::string index_html(const Audit& audit) {
  std::string rows;
  for (std::size_t l = 0; l < audit.labelers.size(); ++l) {
    const LabelerAudit& labeler = audit.labelers[l];
    const auto& r = labeler.reliability;
    rows += fmt::format(
        "<tr><td><a href=\"{}\" dir=\"auto\">{}</a>{}</td><td class=\"number\">{}</td><td "
        "class=\"number\">{}</td><td>{}</td></tr>\n",
        sheet_name(l, labeler.name), escaped(shown_name(labeler.name)),
        labeler.researcher ? " (researcher)" : "", with_thousands(labeler.judgements),
        r ? fmt::format("{} ({})", percent(r->accuracy), interval_text(r->low, r->high))
          : "not known",
        escaped(verdict_on(labeler)));
  }
  return to_html(
      Page{.title = "Feedback to labelers",
           .body = scrolling("<table><thead><tr><th>labeler</th><th "
                             "class=\"number\">judgements</th><th class=\"number\">estimated "
                             "accuracy (95%)</th><th></th></tr></thead>\n<tbody>\n" +
                                 rows + "</tbody></table>",
                             "Labelers")});
}

// The files that an earlier audit may have left.
bool is_sheet(const std::string& file) {
  return file.starts_with("sheet-") && file.ends_with(".html");
}

}  // namespace

std::string feedback_sheet(const JudgedPairs& pairs, const Audit& audit, std::size_t labeler,
                           std::size_t most_shown) {
  const LabelerAudit& audited = audit.labelers[labeler];
  const std::string title = fmt::format("Feedback to {}", shown_name(audited.name));
  return to_html(Page{.title = title,
                      .body = cards(audited) + trend(audit, audited) + biases(audit, audited) +
                              differences_html(pairs, audit, labeler, most_shown)});
}

std::string sheet_name(std::size_t labeler, const std::string& name) {
  constexpr std::size_t longest = 40;
  std::string safe;
  for (const char c : name.substr(0, longest)) {
    safe += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return fmt::format("sheet-{:02}{}{}.html", labeler + 1, safe.empty() ? "" : "-", safe);
}

std::size_t write_feedback_sheets(const std::filesystem::path& folder, const JudgedPairs& pairs,
                                  const Audit& audit, std::size_t most_shown) {
  std::vector<std::string> replaceable{index_file};
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(folder, absent)) {
    if (is_sheet(entry.path().filename().string())) {
      replaceable.push_back(entry.path().filename().string());
    }
  }
  OutputFolder output(folder.has_filename() ? folder : folder.parent_path(), replaceable);
  for (std::size_t l = 0; l < audit.labelers.size(); ++l) {
    write_file(output.partial_path() / sheet_name(l, audit.labelers[l].name),
               feedback_sheet(pairs, audit, l, most_shown));
  }
  write_file(output.partial_path() / index_file, index_html(audit));
  output.commit();
  return audit.labelers.size();
}

}  // namespace precis
