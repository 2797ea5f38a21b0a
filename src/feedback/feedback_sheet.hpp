// What a labeler is told about their judgements: one page each.
#pragma once

#include <filesystem>
#include <string>

#include "feedback/audit.hpp"

namespace precis {

/// The page of labeler `labeler`: agreement, trend, biases, and up to `most_shown` pairs in which
/// they differ from the researchers (else from the others' consensus, else from gold), the surest
/// first.
[[nodiscard]] std::string feedback_sheet(const JudgedPairs& pairs, const Audit& audit,
                                         std::size_t labeler, std::size_t most_shown);

/// "sheet-03-ann.html": safe as a file name whatever the labeler is called, and different for each.
[[nodiscard]] std::string sheet_name(std::size_t labeler, const std::string& name);

/// Writes each labeler's sheet, and index.html with links to all, into `folder`, which is made if
/// it is not there. Returns the number of sheets.
std::size_t write_feedback_sheets(const std::filesystem::path& folder, const JudgedPairs& pairs,
                                  const Audit& audit, std::size_t most_shown);

}  // namespace precis
