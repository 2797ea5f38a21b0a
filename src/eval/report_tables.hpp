// The tables that other commands write as JSON, in a report.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace precis {

/// A file's section without its heading: table.json of `evaluate table`, agreement.json of
/// `evaluate reward`, audit.json of `label audit`, overoptimize.jsonl. What it lacks is left out.
/// Throws Error if it cannot be read or has nothing to show.
[[nodiscard]] std::string table_html(const std::filesystem::path& file);

/// What such a file is about: "Agreement of labelers".
[[nodiscard]] std::string table_title(const std::filesystem::path& file);

/// Score and gold against the root of the KL, from rows {"name","kl","reward","gold"} with, where
/// known, {"reward_low","reward_high","gold_low","gold_high","method"}.
[[nodiscard]] std::string overoptimization_html(const std::filesystem::path& file);

}  // namespace precis
