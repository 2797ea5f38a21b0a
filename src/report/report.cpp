#include "report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <system_error>

#include "base/error.hpp"
#include "base/list_text.hpp"
#include "base/text.hpp"
#include "data/response_text.hpp"
#include "data/tokenizer.hpp"
#include "io/text_file.hpp"
#include "page/html.hpp"
#include "report/files.hpp"
#include "report/run.hpp"
#include "report/run_curves.hpp"
#include "report/tables.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_columns = 5;  // of samples side by side

struct Sections {
  std::string html;
  std::string contents;  // links for the top of the page
  void add(const std::string& title, const std::string& body) {
    if (body.empty()) {
      return;
    }
    const std::string id = fmt::format("s{}", ++count_);
    contents += fmt::format("<a href=\"#{}\">{}</a>\n", id, escaped(title));
    html += fmt::format("<section id=\"{}\">\n<h2 dir=\"auto\">{}</h2>\n{}</section>\n", id,
                        escaped(title), body);
  }

 private:
  int count_ = 0;
};

std::string details(const std::string& title, const std::string& body) {
  return body.empty() ? ""
                      : fmt::format("<details><summary dir=\"auto\">{}</summary>\n{}</details>\n",
                                    escaped(title), body);
}

std::string log_html(const ReportedRun& run) {
  std::string html;
  if (run.log.left_out > 0) {
    html += fmt::format("<p class=\"note\">{} before these.</p>\n",
                        counted(run.log.left_out, "more line"));
  }
  for (const RunLog::Line& line : run.log.events) {
    const char* kind = line.level == "error"     ? "error"
                       : line.level == "warning" ? "warning"
                                                 : "note";
    html += fmt::format("<p class=\"{} text\" dir=\"auto\">{} {}</p>\n", kind, escaped(line.time),
                        escaped_start(line.text, 4000));
  }
  return html;
}

/// "2 ranks ... From 19:21 to 19:23, started once. Peak host memory ..."
std::string machine_html(const ReportedRun& run) {
  std::string html;
  const auto line = [&](const std::string& text) {
    html += text.empty()
                ? ""
                : fmt::format("<p class=\"note\" dir=\"auto\">{}</p>\n", escaped_start(text, 2000));
  };
  line(run.log.machine);
  if (!run.log.first_time.empty()) {
    line(fmt::format(
        "From {} to {}, {}.", run.log.first_time, run.log.last_time,
        run.log.launches == 1 ? "in one launch" : counted(run.log.launches, "launch", "es")));
  }
  line(run.log.memory);
  return html;
}

/// Warnings and errors are visible, all other events folded.
std::string last_trouble(const ReportedRun& run) {
  for (auto line = run.log.events.rbegin(); line != run.log.events.rend(); ++line) {
    if (line->level == "error") {
      return fmt::format("<p class=\"error\" dir=\"auto\">{}: {}</p>\n", escaped(run.name),
                         escaped_start(line->text, 2000));
    }
  }
  return "";
}

std::string kind_html(const std::vector<const ReportedRun*>& runs) {
  const bool several = runs.size() > 1;
  std::string html;
  for (const ReportedRun* run : runs) {
    html += run->log.stopped_by_guard ? last_trouble(*run) : "";
  }
  html += several ? comparison_html(runs) : headline_html(*runs.front());
  if (several) {
    const std::string keys = differing_keys_html(runs);
    html += keys.empty() ? "<p class=\"note\">The decks do not differ.</p>\n"
                         : "<h3>Keys that differ</h3>\n" + keys;
  } else {
    html += machine_html(*runs.front());
  }
  html += "<h3>Curves</h3>\n" + curves_html(runs);
  if (runs.front()->steps >= 60 || (several && runs.back()->steps >= 60)) {
    html +=
        "<p class=\"note\">Strong lines are means around each step, weighted by a Gaussian whose "
        "deviation is 1.5% of the run's length; the pale dots behind them are the single steps, at "
        "a chart's edge where they lie beyond it.</p>\n";
  }
  if (const std::string time = time_html(runs); !time.empty()) {
    html += "<h3>Where the time went</h3>\n" + time;
  }
  for (const ReportedRun* run : runs) {
    const std::string of_run = several ? " of " + run->name : "";
    if (several) {
      html += details("Machine" + of_run, machine_html(*run));
    }
    if (!run->log.events.empty()) {
      html +=
          details(fmt::format("Log{}: {}, {}", of_run,
                              counted(run->log.warnings, "warning or error", " lines"),
                              counted(static_cast<std::int64_t>(run->log.events.size()), "event")),
                  log_html(*run));
    }
    if (!run->deck_text.empty()) {
      html += details("Effective deck" + of_run,
                      "<pre dir=\"auto\">" + escaped(run->deck_text) + "</pre>\n");
    }
  }
  return html;
}

/// The first and last samples of a run that is the only one or is PPO, else the last.
std::vector<SampleColumn> sample_columns(const std::vector<ReportedRun>& runs) {
  std::vector<SampleColumn> columns;
  const auto with_samples = std::ranges::count_if(
      runs, [](const ReportedRun& run) { return !run.samples.items.empty(); });
  for (const ReportedRun& run : runs) {
    SampleColumn first{.name = {}, .texts = {}};
    SampleColumn last = first;
    for (const auto& item : run.samples.items) {
      first.texts.emplace(item.id, item.first);
      last.texts.emplace(item.id, item.last);
    }
    if (last.texts.empty()) {
      continue;
    }
    const std::string_view kind = run.kind == RunKind::sft   ? "sft"
                                  : run.kind == RunKind::ppo ? "ppo"
                                                             : "";
    const std::string name =
        kind.empty() || run.name == kind ? run.name : fmt::format("{} {}", run.name, kind);
    const auto named = [&](SampleColumn& column) {
      column.name =
          fmt::format("{}, step {}", name, with_thousands(column.texts.begin()->second.step));
    };
    named(first);
    named(last);
    if (first.name != last.name &&
        (with_samples == 1 || (with_samples <= 3 && run.kind == RunKind::ppo))) {
      columns.push_back(std::move(first));
    }
    columns.push_back(std::move(last));
  }
  return columns;
}

/// The files that a run's samples are of: its held-out rows, and without these the first of those
/// that it trained on.
std::vector<std::string> sampled_files(const ReportedRun& run) {
  for (const char* key : {"data.valid", "data.prompts", "data.train"}) {
    try {
      if (const auto files = list_items(run.deck_value(key)); !run.deck_value(key).empty()) {
        return expand_files(files);
      }
    } catch (const std::exception&) {
      return {};  // the files are not there any more
    }
  }
  return {};
}

/// Where the posts of the samples may be: the files given, those that the decks name, those beside
/// the runs.
std::vector<fs::path> post_files(const ReportOptions& options, const ReportFiles& found,
                                 const std::vector<ReportedRun>& runs) {
  std::vector<fs::path> files(options.posts.begin(), options.posts.end());
  for (const ReportedRun& run : runs) {
    if (run.samples.items.empty()) {
      continue;
    }
    for (const std::string& name : sampled_files(run)) {
      std::error_code error;
      if (fs::is_regular_file(name, error) &&
          std::ranges::find(files, fs::path(name)) == files.end()) {
        files.emplace_back(name);
      }
    }
  }
  files.insert(files.end(), found.posts.begin(), found.posts.end());
  return files;
}

/// Takes away what does not fit beside the others; returns a sentence that says so, or nothing.
std::string leave_out_columns(std::vector<SampleColumn>& columns) {
  if (columns.size() <= most_columns) {
    return "";
  }
  std::vector<std::string> names;
  for (std::size_t i = most_columns; i < columns.size(); ++i) {
    names.push_back(columns[i].name);
  }
  columns.resize(most_columns);
  return fmt::format("<p class=\"note\" dir=\"auto\">Not shown beside them: {}.</p>\n",
                     escaped(joined(names, "; ")));
}

std::string samples_section(const ReportOptions& options, const ReportFiles& found,
                            const std::vector<ReportedRun>& runs) {
  std::vector<SampleColumn> columns = sample_columns(runs);
  const std::string left_out = leave_out_columns(columns);
  std::set<std::string> ids;
  for (const SampleColumn& column : columns) {
    for (const auto& [id, text] : column.texts) {
      ids.insert(id);
    }
  }
  std::map<std::string, PostText> posts;
  for (const ReportedRun& run : runs) {
    for (const RunSamples::Item& item : run.samples.items) {
      if (item.post && ids.erase(item.id) > 0) {
        posts.emplace(item.id, *item.post);
      }
    }
  }
  if (!ids.empty()) {
    posts.merge(find_posts(ids, post_files(options, found, runs)));
  }
  return samples_html(columns, posts) + left_out;
}

/// Decodes with the run's own tokenizer, from its model or the file that its deck names; to nothing
/// where there is none.
IdsToText decoder_of(const ReportedRun& run) {
  std::vector<fs::path> places = {run.folder / "policy.h5",
                                  run.folder.parent_path() / "tokenizer.json",
                                  run.deck_value("policy")};
  for (const fs::path& place : places) {
    try {
      std::error_code error;
      if (fs::is_regular_file(place, error)) {
        const auto tokenizer = std::make_shared<Tokenizer>(Tokenizer::load(place.string()));
        return [tokenizer](const std::vector<std::int32_t>& ids) -> std::optional<std::string> {
          std::vector<std::int32_t> known = ids;
          const auto end = tokenizer->find_added("<|endoftext|>");
          std::erase_if(known,
                        [&](std::int32_t id) { return !tokenizer->contains(id) || id == end; });
          return tokenizer->decode(known);
        };
      }
    } catch (const std::exception&) {
      continue;  // a damaged model is said by `precis inspect --verify`
    }
  }
  return [](const std::vector<std::int32_t>&) { return std::nullopt; };
}

/// Names that tell the runs of a kind apart, or all runs where kinds have one each.
void name_runs(std::vector<ReportedRun>& runs) {
  for (const RunKind kind : {RunKind::sft, RunKind::reward, RunKind::ppo, RunKind::unknown}) {
    std::vector<ReportedRun*> of_kind;
    std::vector<fs::path> folders;
    for (ReportedRun& run : runs) {
      if (run.kind == kind) {
        of_kind.push_back(&run);
        folders.push_back(run.folder);
      }
    }
    const auto names = short_names(folders);
    for (std::size_t i = 0; i < of_kind.size(); ++i) {
      of_kind[i]->name = names[i];
    }
  }
}

/// A section for each table that can be read; those of one title say where they are from.
void add_tables(const std::vector<fs::path>& files, Sections& sections,
                std::vector<std::string>& problems) {
  std::vector<ReportTable> tables;
  std::vector<fs::path> read;
  for (const fs::path& file : files) {
    try {
      tables.push_back(read_report_table(file));
      read.push_back(file);
    } catch (const std::exception& error) {
      problems.push_back(fmt::format("{}: {}{}", file.string(), error.what(),
                                     std::string_view(error.what()).ends_with('.') ? "" : "."));
    }
  }
  for (const ReportTable& table : tables) {
    std::vector<fs::path> alike;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (tables[i].title == table.title) {
        alike.push_back(read[i]);
      }
    }
    const auto own =
        std::ranges::find(alike, read[static_cast<std::size_t>(&table - tables.data())]);
    sections.add(
        alike.size() == 1
            ? table.title
            : fmt::format("{}: {}", table.title,
                          short_names(alike)[static_cast<std::size_t>(own - alike.begin())]),
        table.html);
  }
}

std::string problems_html(const std::vector<std::string>& problems) {
  if (problems.empty()) {
    return "";
  }
  constexpr std::size_t shown = 6;
  std::string html;
  std::string rest;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    (i < shown ? html : rest) +=
        fmt::format("<p class=\"warning\" dir=\"auto\">{}</p>\n", escaped_start(problems[i], 1000));
  }
  return html +
         (rest.empty() ? "" : details(fmt::format("{} more", problems.size() - shown), rest));
}

std::string title_of(const ReportOptions& options) {
  if (!options.title.empty()) {
    return options.title;
  }
  std::vector<fs::path> folders(options.folders.begin(), options.folders.end());
  return joined(short_names(folders), ", ");
}

}  // namespace

Report make_report(const ReportOptions& options) {
  const ReportFiles files = find_report_files(options.folders);
  Report report;
  std::vector<ReportedRun> runs;
  for (const fs::path& folder : files.runs) {
    runs.push_back(read_run(folder));
  }
  name_runs(runs);
  report.runs = runs.size();
  if (files.cut) {
    report.problems.push_back(fmt::format(
        "There are more runs than a page can hold; these are the first {}.", runs.size()));
  }
  for (const ReportedRun& run : runs) {
    for (const std::string& problem : run.problems) {
      report.problems.push_back(fmt::format("{}/{}", run.folder.string(), problem));
    }
  }
  Sections sections;
  add_tables(files.tables, sections, report.problems);
  sections.add("Samples", samples_section(options, files, runs));
  for (const RunKind kind : {RunKind::ppo, RunKind::reward, RunKind::sft, RunKind::unknown}) {
    std::vector<const ReportedRun*> of_kind;
    for (const ReportedRun& run : runs) {
      if (run.kind == kind) {
        of_kind.push_back(&run);
      }
    }
    if (!of_kind.empty()) {
      sections.add(std::string(name_of(kind)), kind_html(of_kind));
    }
  }
  for (const ReportedRun& run : runs) {
    if (!run.samples.last_episodes.empty()) {
      sections.add(fmt::format("Episodes of {}: first and last step", run.name),
                   episodes_html(run.samples, decoder_of(run)));
    }
  }
  const std::string body =
      problems_html(report.problems) + "<nav>" + sections.contents + "</nav>\n" + sections.html;
  report.html = to_html(Page{.title = "Report: " + title_of(options), .body = body});
  return report;
}

}  // namespace precis
