// `precis label export`: comparisons out to people, as a page for their browser.
#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "feedback/label_page.hpp"
#include "io/output_file.hpp"
#include "io/text_file.hpp"

namespace precis {
namespace {

struct ExportOptions {
  std::string input;
  std::string output;
  std::int64_t seed = 1;
  std::string instructions;
  LabelPageOptions page;
};

void add_options(OptionTable& table, ExportOptions& options) {
  table.add("input", &options.input,
            {.meaning = "comparisons in OpenAI's schema, whose `choice` is not used and may be "
                        "missing; each pair is asked for once",
             .required = true,
             .file = FileUse::input});
  table.add(
      "output", &options.output,
      {.meaning = "the page, one HTML file that works without a network; it downloads a file for "
                  "`precis label import`",
       .required = true,
       .file = FileUse::output});
  table.add("label.seed", &options.seed,
            {.meaning = "which summary of a pair is shown first is a function of the seed and the "
                        "pair",
             .source = "precis"});
  table.add("label.axes", &options.page.axes,
            {.meaning = "also ask to rate each summary from 1 to 7: overall, accuracy, coverage, "
                        "coherence",
             .source = "precis"});
  table.add("label.first", &options.page.first,
            {.meaning = "number of the first pair on the page, from 1: for parts of a file",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e9});
  table.add("label.limit", &options.page.limit,
            {.unit = "pairs",
             .meaning = "at most this many pairs on the page; 0: all",
             .source = "precis",
             .maximum = 1e9});
  table.add("label.title", &options.page.title,
            {.meaning = "the page's title", .source = "precis"});
  table.add("label.empty_summaries", &options.page.empty_summaries,
            {{"refuse", EmptySummaries::refuse}, {"show", EmptySummaries::show}},
            {.meaning = "what to do with a summary that has no text: refuse the file, or show "
                        "\"(empty)\" in its place",
             .source = "precis"});
  table.add(
      "label.instructions", &options.instructions,
      {.meaning = "a text file shown to the labelers before they begin and with the help, with "
                  "**bold** between double stars; empty: a short text of the paper's criteria",
       .file = FileUse::input});
}

ExitStatus run(Context& context, ExportOptions& options) {
  options.page.seed = static_cast<std::uint64_t>(options.seed);
  if (!options.instructions.empty()) {
    options.page.instructions = read_text_file(options.instructions);
    if (const auto at = invalid_utf8_at(options.page.instructions)) {
      fail("{}: byte {} is not UTF-8.", options.instructions, *at + 1);
    }
  }
  const PairList list = read_pair_list(options.input);
  const nlohmann::ordered_json data = label_page_data(list, options.page);
  const std::string page = label_page(data);
  write_file(options.output, page);

  if (list.identical > 0) {
    context.log.warning("{} of two identical texts left out of the page.",
                        counted(list.identical, "row"));
  }
  const std::size_t shown = data["items"].size();
  const std::size_t all = list.pairs.size();
  fmt::print(
      "{}: {} of {}{}, {}. Open it in a browser, judge, download the answers, and give them to "
      "`precis label import` with the same pairs.\n",
      options.output,
      shown == all ? counted(static_cast<std::int64_t>(all), "pair")
                   : fmt::format("{} of the {} pairs", shown, all),
      options.input,
      list.repeated > 0
          ? fmt::format(" (judged several times: {} left out)", counted(list.repeated, "row"))
          : "",
      byte_size(page.size()));
  return ExitStatus::done;
}

}  // namespace

Command label_export_command() {
  return make_command<ExportOptions>(
      "label export", "write a page on which people compare summaries", Mpi::no, add_options, run);
}

}  // namespace precis
