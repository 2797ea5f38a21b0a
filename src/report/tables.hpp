// The tables that other commands write as JSON, in a report.
#pragma once

#include <filesystem>
#include <string>

namespace precis {

/// A section of the report.
struct ReportTable {
  std::string title;  ///< what it is about: "Agreement of labelers"
  std::string html;   ///< without its heading
};

/// Reads a file that `table_kind` knows. What it lacks is left out. Throws Error if it cannot be
/// read or has nothing to show.
[[nodiscard]] ReportTable read_report_table(const std::filesystem::path& file);

/// Score and gold against the root of the KL, from rows {"name","kl","reward","gold"} with, where
/// known, {"reward_low","reward_high","gold_low","gold_high","method"}.
[[nodiscard]] std::string overoptimization_html(const std::filesystem::path& file);

}  // namespace precis
