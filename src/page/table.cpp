#include "page/table.hpp"

#include <fmt/format.h>

#include <cstddef>

#include "page/html.hpp"

namespace precis {
namespace {

constexpr std::size_t many = 8;  // columns, for which paper needs smaller letters

}  // namespace

std::string to_html(const Table& table) {
  std::string html = table.columns.size() > many ? "<table class=\"many\">\n" : "<table>\n";
  if (!table.caption.empty()) {
    html += fmt::format("<caption>{}</caption>\n", escaped(table.caption));
  }
  html += "<thead><tr>";
  for (const Table::Column& column : table.columns) {
    html += fmt::format("<th scope=\"col\"{}>{}</th>", column.numeric ? " class=\"number\"" : "",
                        escaped(column.name));
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool numeric = i < table.columns.size() && table.columns[i].numeric;
      html += fmt::format("<td{}>{}</td>", numeric ? " class=\"number\"" : " dir=\"auto\"",
                          escaped_path(row[i]));
    }
    html += "</tr>\n";
  }
  return scrolling(html + "</tbody>\n</table>", table.caption.empty() ? "Table" : table.caption);
}

}  // namespace precis
