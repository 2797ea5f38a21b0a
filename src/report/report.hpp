// Runs and the tables beside them as one page.
#pragma once

#include <string>
#include <vector>

namespace precis {

struct ReportOptions {
  std::vector<std::string> folders;  ///< run folders, or folders that hold some
  std::vector<std::string> posts;    ///< files of rows in which the texts of posts are looked up
  std::string title;                 ///< empty: from the folders' names
};

struct Report {
  std::string html;
  std::vector<std::string> problems;  ///< what is missing or broken, as the page says it
  std::size_t runs = 0;
};

/// Reads the folders and writes the page. The same files give the same page. Throws Error where a
/// folder cannot be shown at all.
[[nodiscard]] Report make_report(const ReportOptions& options);

}  // namespace precis
