// `precis synthesize`: writes the embedded data set.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"
#include "commands/commands.hpp"
#include "io/jsonl.hpp"
#include "io/output_folder.hpp"
#include "io/text_file.hpp"
#include "synthetic/synthesize.hpp"

namespace precis {
namespace {

struct SynthesizeOptions {
  std::string output;
  std::int64_t posts = 32'000;
  std::int64_t seed = 1;
  std::int64_t least_distractors = PostOptions{}.least_distractors;
  std::int64_t most_distractors = PostOptions{}.most_distractors;
  SynthesisOptions synthesis;
};

void add_options(OptionTable& table, SynthesizeOptions& options) {
  table.add(
      "output", &options.output,
      {.meaning = "folder for train.jsonl, valid.jsonl and test.jsonl; made if it is missing; "
                  "earlier ones of this command, known by their first row's id, are replaced",
       .required = true});
  table.add(
      "posts", &options.posts,
      {.unit = "rows",
       .meaning = "of every 20 rows one goes to valid.jsonl, one to test.jsonl, the others to "
                  "train.jsonl",
       .source = "a prototype of this data set: 28,800 rows to train on",
       .minimum = 1,
       .maximum = static_cast<double>(fact_space())});
  table.add("seed", &options.seed,
            {.meaning = "row i is a function of the seed and i", .source = "precis"});

  const std::string source = "a prototype of this data set";
  const auto share = [&](const char* key, double* value, const char* meaning) {
    table.add(key, value, {.meaning = meaning, .source = source, .maximum = 1});
  };
  auto& faults = options.synthesis.faults;
  share("synthesize.omit_question", &faults.omit_question,
        "share of reference summaries without the question; above 0.5 it is the systematic fault");
  share("synthesize.omit_place", &faults.omit_place, "share of references without the place");
  share("synthesize.omit_time", &faults.omit_time, "share of references without the time");
  share("synthesize.omit_feeling", &faults.omit_feeling, "share of references without the feeling");
  share("synthesize.omit_age", &faults.omit_age, "share of references without the age");
  share("synthesize.invent", &faults.invent, "share of stated facts that are wrong in references");
  share("synthesize.confuse", &options.synthesis.post.confuse,
        "share of distractors that name a second person, object or place");
  table.add("synthesize.least_distractors", &options.least_distractors,
            {.unit = "sentences",
             .meaning = "fewest sentences a post without a fact",
             .source = source,
             .maximum = 16});
  table.add("synthesize.most_distractors", &options.most_distractors,
            {.unit = "sentences",
             .meaning = "most sentences a post without a fact",
             .source = source,
             .maximum = 16});
}

nlohmann::ordered_json row_json(const SyntheticRow& row) {
  return {{"id", row.id},
          {"subreddit", row.subreddit},
          {"title", row.title},
          {"post", row.post},
          {"summary", row.summary}};
}

/// Throws Error unless `file` may be replaced: it is absent, empty, or begins with a row of this
/// command.
void require_replaceable(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    return;
  }
  std::string line;
  bool own = false;
  if (std::filesystem::is_regular_file(file)) {
    const auto row = LineReader(file.string()).next(line)
                         ? nlohmann::json::parse(line, nullptr, false)
                         : nlohmann::json{{"id", synthetic_id_prefix}};
    own = row.is_object() && row.contains("id") && row["id"].is_string() &&
          row["id"].get_ref<const std::string&>().starts_with(synthetic_id_prefix);
  }
  require(own,
          "cannot write the folder {}: it exists and holds {}, which this command did not write. "
          "Give a new folder, or empty this one.",
          file.parent_path().string(), file.filename().string());
}

ExitStatus run(Context&, SynthesizeOptions& options) {
  options.synthesis.post.least_distractors = static_cast<int>(options.least_distractors);
  options.synthesis.post.most_distractors = static_cast<int>(options.most_distractors);
  const auto seed = static_cast<std::uint64_t>(options.seed);
  // The first row shows whether the options fit together, before anything is written.
  (void)synthesize_row(seed, 0, options.synthesis);

  const std::filesystem::path folder = options.output;
  const std::array<std::filesystem::path, 3> names{folder / "train.jsonl", folder / "valid.jsonl",
                                                   folder / "test.jsonl"};
  for (const auto& name : names) {
    require_replaceable(name);
  }
  const NewFolders made(folder);

  std::array<JsonlWriter, 3> files = {JsonlWriter(names[0]), JsonlWriter(names[1]),
                                      JsonlWriter(names[2])};
  std::array<std::int64_t, 3> rows{};
  for (std::int64_t index = 0; index < options.posts; ++index) {
    const auto number = static_cast<std::uint64_t>(index);
    const auto split = static_cast<std::size_t>(synthetic_split(number));
    files[split].write(row_json(synthesize_row(seed, number, options.synthesis)));
    ++rows[split];
  }
  for (auto& file : files) {
    file.commit();
  }
  fmt::print("{} with seed {} in {}: {} in train.jsonl, {} in valid.jsonl, {} in test.jsonl.\n",
             counted(options.posts, "row"), options.seed, folder.string(), with_thousands(rows[0]),
             with_thousands(rows[1]), with_thousands(rows[2]));
  return ExitStatus::done;
}

}  // namespace

Command synthesize_command() {
  return make_command<SynthesizeOptions>(
      "synthesize", "write posts and reference summaries of the embedded data set", Mpi::no,
      add_options, run);
}

}  // namespace precis
