// Tables in HTML.
#pragma once

#include <string>
#include <vector>

namespace precis {

/// All texts are plain: they are escaped. Rows may be shorter than the header.
struct Table {
  struct Column {
    std::string name;
    bool numeric = false;  ///< its cells stand right-aligned, with digits of one width
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
  std::string caption = {};
};

/// The table, `scrolling` where the screen is narrow, with its first column always in sight.
[[nodiscard]] std::string to_html(const Table& table);

}  // namespace precis
