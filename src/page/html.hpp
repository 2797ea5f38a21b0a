// HTML pages in one file: text that can never run, and the style that all pages share.
#pragma once

#include <string>
#include <string_view>

namespace precis {

/// Text for the content of an element or a quoted attribute. Bytes that are not UTF-8, and control
/// characters but for tab and newline, become U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

/// At most `most` characters (code points), escaped; what is left out shows as an ellipsis.
[[nodiscard]] std::string escaped_start(std::string_view text, std::size_t most);

/// `escaped`, and paths and keys in it may go on in a new line between their parts.
[[nodiscard]] std::string escaped_path(std::string_view text);

/// Content, as HTML, in a box of its own that scrolls sideways where the screen is narrower, with a
/// hint that it does; on paper it has the page's width. `name` tells people who do not see it what
/// the box has; it is plain text.
[[nodiscard]] std::string scrolling(std::string_view content, std::string_view name);

/// A page. `title` is plain text; `body` is HTML, which must have its texts `escaped`.
struct Page {
  std::string title;
  std::string body;
};

/// The whole file: no script, no network (a content security policy says so to the browser), light
/// and dark by the reader's setting, for wide screens, phones and paper.
///
/// Classes for the body: `cards` (of `card`), `charts` (of figures), `side` (blocks side by side),
/// `text` (text from data: keeps its line breaks and its direction to itself), `note`, `warning`,
/// `error`, `number` for cells, `key` for swatches of a legend.
[[nodiscard]] std::string to_html(const Page& page);

}  // namespace precis
