// `precis evaluate win`: two files of samples under the gold labeler.
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "commands/commands.hpp"
#include "eval/win.hpp"
#include "io/jsonl.hpp"

namespace precis {
namespace {

struct EvaluateWinOptions {
  std::string input;
  std::string a;
  std::string b = "references";
  std::string output;
  std::string json;
};

void add_options(OptionTable& table, EvaluateWinOptions& options) {
  table.add(
      "input", &options.input,
      {.meaning = "TL;DR rows of `precis synthesize`", .required = true, .file = FileUse::input});
  table.add("a", &options.a,
            {.meaning = "a file of `precis sample` on these rows",
             .required = true,
             .file = FileUse::input});
  table.add("b", &options.b,
            {.meaning = "another one, or `references` for the rows' own summaries",
             .source = "Stiennon 2020: policies are compared with the references",
             .file = FileUse::input});
  table.add("output", &options.output,
            {.meaning = "one line a comparison, with both texts and gold scores (JSON Lines); "
                        "empty: not written",
             .file = FileUse::output});
  table.add(
      "json", &options.json,
      {.meaning = "the table as one JSON object; empty: not written", .file = FileUse::output});
}

nlohmann::ordered_json score_json(const SampledSummary& sample, const GoldScore& gold) {
  return {{"text", sample.response},
          {"gold", gold.overall},
          {"coverage", gold.coverage},
          {"accuracy", gold.accuracy},
          {"coherent", gold.coherent},
          {"length_ok", gold.length_ok},
          {"ended", gold.ended},
          {"words", gold.words},
          {"right", gold.right},
          {"wrong", gold.wrong},
          {"repeats", gold.repeats},
          {"unparsed", gold.unparsed},
          {"question", gold.states_question}};
}

nlohmann::ordered_json means_json(const GoldMeans& means) {
  return {{"gold", means.gold},           {"coverage", means.coverage},
          {"accuracy", means.accuracy},   {"words", means.words},
          {"ended", means.ended},         {"coherent", means.coherent},
          {"length_ok", means.length_ok}, {"states_question", means.states_question},
          {"any_wrong", means.any_wrong}};
}

void write_rows(const std::string& path, const std::vector<GoldRow>& rows,
                const WinResult& result) {
  JsonlWriter file(path);
  for (const WinRow& row : result.rows) {
    const double margin = row.gold_a.overall - row.gold_b.overall;
    nlohmann::ordered_json json = {{"id", rows[row.row].id}, {"index", row.index}};
    json["winner"] = margin > 0 ? "a" : margin < 0 ? "b" : "tie";
    json["a"] = score_json(row.a, row.gold_a);
    json["b"] = score_json(row.b, row.gold_b);
    file.write(json);
  }
  file.commit();
}

void print(const EvaluateWinOptions& options, const WinResult& result) {
  fmt::print("a: {}\nb: {}\n\n{:<28} {:>8} {:>8}\n", options.a, options.b, "", "a", "b");
  const auto line = [&](const char* name, double GoldMeans::*mean, int digits) {
    fmt::print("{:<28} {:>8.{}f} {:>8.{}f}\n", name, result.a.*mean, digits, result.b.*mean,
               digits);
  };
  line("gold score", &GoldMeans::gold, 3);
  line("coverage", &GoldMeans::coverage, 3);
  line("accuracy of stated facts", &GoldMeans::accuracy, 3);
  line("length in words", &GoldMeans::words, 1);
  line("share ended", &GoldMeans::ended, 3);
  line("share coherent", &GoldMeans::coherent, 3);
  line("share with the question", &GoldMeans::states_question, 3);
  line("share with a wrong fact", &GoldMeans::any_wrong, 3);
  fmt::print(
      "\na wins {}, ties {}, loses {} of {} comparisons: win rate {:.3f} (wins and half of the "
      "ties; 95% interval {:.3f} to {:.3f}).\n",
      result.wins, result.ties, result.losses, result.rows.size(), result.win_rate.rate,
      result.win_rate.low, result.win_rate.high);
}

ExitStatus run(Context&, EvaluateWinOptions& options) {
  const auto rows = read_gold_rows(options.input);
  const auto a = read_samples(options.a, rows);
  const auto b = options.b == "references" ? reference_samples(rows, a.front().size())
                                           : read_samples(options.b, rows);
  const WinResult result = compare(rows, a, b);
  if (!options.output.empty()) {
    write_rows(options.output, rows, result);
  }
  if (!options.json.empty()) {
    JsonlWriter file(options.json);
    file.write({{"comparisons", result.rows.size()},
                {"wins", result.wins},
                {"ties", result.ties},
                {"losses", result.losses},
                {"win_rate", result.win_rate.rate},
                {"win_rate_low", result.win_rate.low},
                {"win_rate_high", result.win_rate.high},
                {"a", means_json(result.a)},
                {"b", means_json(result.b)}});
    file.commit();
  }
  print(options, result);
  return ExitStatus::done;
}

}  // namespace

Command evaluate_win_command() {
  return make_command<EvaluateWinOptions>("evaluate win",
                                          "compare two files of samples under the gold labeler",
                                          Mpi::no, add_options, run);
}

}  // namespace precis
