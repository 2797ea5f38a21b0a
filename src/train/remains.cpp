#include "train/remains.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include "base/deck.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "io/output_file.hpp"

namespace precis {
namespace {

namespace fs = std::filesystem;

/// What the commands write at the end of a run.
constexpr std::array<const char*, 3> all_final_files{"model.h5", "policy.h5", "value.h5"};
/// With more changes than this it is clearly another run, and naming them all helps nobody.
constexpr std::size_t most_named = 5;

}  // namespace

Remains find_remains(const fs::path& folder, const std::string& command,
                     const std::vector<std::string>& final_files) {
  std::vector<std::string> there;
  for (const char* name : all_final_files) {
    if (fs::exists(folder / name)) {
      there.emplace_back(name);
    }
  }
  if (!there.empty()) {
    require(there == final_files,
            "The run folder {} holds {} and no checkpoint: that is no run of `{}`, or not all of "
            "one. It is not replaced: give another run folder.",
            folder.string(), joined(there, " and "), command);
    return Remains::final_files;
  }
  std::error_code absent;
  const auto size = fs::file_size(folder / "metrics.jsonl", absent);
  return absent || size == 0 ? Remains::nothing : Remains::rows;
}

void check_deck_of_remains(const fs::path& folder, Remains remains, const std::string& deck) {
  const std::string holds =
      fmt::format("The run folder {} holds {}, but no checkpoint to go on from", folder.string(),
                  remains == Remains::final_files ? "a final model" : "the metrics of a run");
  const fs::path kept = folder / "deck.cfg";
  require(fs::exists(kept),
          "{}, and no deck.cfg that says how it was made. It is not replaced: give another run "
          "folder.",
          holds);
  auto changes = changed_keys(parse_deck(read_file(kept), kept.string()),
                              parse_deck(deck, "this command"), says_how_only);
  if (changes.empty()) {
    return;
  }
  const std::size_t more = changes.size() - std::min(changes.size(), most_named);
  changes.resize(changes.size() - more);
  fail_usage(
      "{}. By its deck.cfg it was begun with other values: {}{}. It is not replaced: give the "
      "former values, or another run folder.",
      holds, joined(changes, ", "), more == 0 ? "" : fmt::format(", and {} more", more));
}

}  // namespace precis
