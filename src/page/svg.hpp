// Pieces of SVG that the charts share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace precis {

inline constexpr double font_size = 11;
inline constexpr int colours = 8;

enum class Anchor { start, middle, end };

/// A position in a drawing with two decimals at most.
[[nodiscard]] std::string position(double value);

/// A text at its baseline.
[[nodiscard]] std::string svg_text(double x, double y, Anchor anchor, std::string_view text,
                                   std::string_view classes = {});

/// About how wide a text is drawn.
[[nodiscard]] double text_width(std::string_view text);

/// The text, or its beginning and an ellipsis, within a width. Not escaped.
[[nodiscard]] std::string fitted(std::string_view text, double width);

/// The class that gives its bearer colour `index`, from 0 on, over and over.
[[nodiscard]] std::string colour_class(int index);

/// What a mark in a chart means.
struct Key {
  enum class Mark { line, dotted, pale, dashed, interval };
  std::string name;
  int colour = -1;  ///< -1: of no series
  Mark mark = Mark::line;
  bool operator==(const Key&) const = default;
};

/// The keys as HTML, each once.
[[nodiscard]] std::string legend(const std::vector<Key>& keys);

/// A figure with its title; `content` is SVG, `below` HTML. A wide one is `scrolling`.
[[nodiscard]] std::string figure(std::string_view title, double width, double height,
                                 std::string_view content, std::string_view below, bool wide);

}  // namespace precis
