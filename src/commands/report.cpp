// `precis report`: run folders as one HTML page.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/text.hpp"
#include "commands/commands.hpp"
#include "io/output_file.hpp"
#include "report/report.hpp"

namespace precis {
namespace {

struct ReportCommandOptions {
  ReportOptions report;
  std::string output = "report.html";
};

void add_options(OptionTable& table, ReportCommandOptions& o) {
  table.add(
      "run", &o.report.folders,
      {.meaning = "run folders, or folders that hold some, separated by commas; also as plain "
                  "words",
       .required = true});
  table.set_positional("run");
  table.add("output", &o.output,
            {.meaning = "the page: one file of HTML", .source = "precis", .file = FileUse::output});
  table.add(
      "posts", &o.report.posts,
      {.meaning = "files of rows in which to look up the posts that samples.jsonl does not hold "
                  "itself, besides those that the decks name and posts_*.jsonl in the folders",
       .file = FileUse::input});
  table.add("title", &o.report.title, {.meaning = "the page's title; empty: the folders' names"});
}

ExitStatus run(Context& context, ReportCommandOptions& o) {
  if (o.output.empty()) {
    fail_usage("output is empty; expected the name of the page to write.");
  }
  // A file that cannot be written is an error before the work, not after it.
  OutputFile file(o.output);
  const Report report = make_report(o.report);
  for (const std::string& problem : report.problems) {
    context.log.warning("{}", problem);
  }
  file.write(report.html);
  file.commit();
  fmt::print("The report of {} is in {} ({}).\n",
             counted(static_cast<std::int64_t>(report.runs), "run"), o.output,
             byte_size(report.html.size()));
  return ExitStatus::done;
}

}  // namespace

Command report_command() {
  return make_command<ReportCommandOptions>("report", "show run folders as one page of HTML",
                                            Mpi::no, add_options, run);
}

}  // namespace precis
