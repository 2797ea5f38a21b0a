// What a report finds in folders: runs, and the tables beside them. Files may be unfinished or
// broken, and are never trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// Folders and files in the order in which they are shown.
struct ReportFiles {
  std::vector<std::filesystem::path> runs;    ///< folders with metrics.jsonl, deck.cfg or log.txt
  std::vector<std::filesystem::path> tables;  ///< those that `table_kind` knows
  std::vector<std::filesystem::path> posts;   ///< posts_*.jsonl, from which texts are looked up
  bool cut = false;                           ///< there is more than a page can hold
};

/// What other commands write as JSON for a report.
enum class TableKind { policies, best_of_n, agreement, audit, overoptimization };

/// By the file's name: table.json of `evaluate table`, best.json of `evaluate best-of-n`,
/// agreement.json of `evaluate reward`, audit.json of `label audit`, each also with something after
/// the name (table_sampled.json), and overoptimize.jsonl. Nothing for any other name.
[[nodiscard]] std::optional<TableKind> table_kind(std::string_view file_name);

/// Looks through each folder, which is a run or holds runs (three levels deep). Throws Error naming
/// one that does not exist, is no folder, or holds nothing that can be shown.
[[nodiscard]] ReportFiles find_report_files(const std::vector<std::string>& folders);

/// What the paths do not have in common, at both ends: {"q2", "q3"} for {"/a/q2/ppo", "/a/q3/ppo"}.
/// Their last parts where that leaves nothing.
[[nodiscard]] std::vector<std::string> short_names(const std::vector<std::filesystem::path>& paths);

/// Calls `visit` for each line until it returns false; a line longer than `most_bytes` comes cut,
/// with `whole` false, as does a last line without its newline. Throws Error unless the path is a
/// regular file that can be read.
void for_each_line(const std::filesystem::path& file, std::size_t most_bytes,
                   const std::function<bool(std::string_view line, bool whole)>& visit);

/// What was left out of a file of rows.
struct SkippedRows {
  std::int64_t bad = 0;
  std::string first;  ///< what was wrong with the first, with its line
  bool torn = false;  ///< the last line has no end
  /// "metrics.jsonl: 2 lines cannot be read and are left out; the first: ..."; empty if nothing
  /// was.
  [[nodiscard]] std::string describe(std::string_view file) const;
  void add(const std::string& what);
};

/// Calls `visit` for each row; it throws BadRow for one that it cannot use, and returns false to
/// stop. Throws as `for_each_line`.
[[nodiscard]] SkippedRows read_loose_rows(
    const std::filesystem::path& file,
    const std::function<bool(const nlohmann::json& row, const std::string& where)>& visit);

/// One JSON value. Throws Error if the file is not one, or larger than 16 MiB.
[[nodiscard]] nlohmann::json read_json_file(const std::filesystem::path& file);

/// The whole text, at most `most_bytes` of it. Throws as `for_each_line`.
[[nodiscard]] std::string read_start(const std::filesystem::path& file, std::size_t most_bytes);

/// A field that is a finite number, a text, or nothing.
[[nodiscard]] std::optional<double> number_in(const nlohmann::json& object, const char* field);
[[nodiscard]] std::string text_in(const nlohmann::json& object, const char* field);

}  // namespace precis
