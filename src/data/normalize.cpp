#include "data/normalize.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace precis {
namespace {

struct Decomposition {
  char32_t point;
  char32_t first;
  char32_t second;  // 0: the decomposition is one character
  bool composes;    // not one of the composition exclusions
};

struct CombiningClass {
  char32_t first;
  char32_t last;
  std::uint8_t value;
};

#include "data/nfc_tables.inc"

// Hangul syllables are computed (Unicode Standard, section 3.12).
constexpr char32_t hangul_s = 0xAC00;
constexpr char32_t hangul_l = 0x1100;
constexpr char32_t hangul_v = 0x1161;
constexpr char32_t hangul_t = 0x11A7;
constexpr char32_t count_l = 19;
constexpr char32_t count_v = 21;
constexpr char32_t count_t = 28;
constexpr char32_t count_s = count_l * count_v * count_t;

int combining_class(char32_t point) {
  const auto found =
      std::upper_bound(combining_classes.begin(), combining_classes.end(), point,
                       [](char32_t value, const CombiningClass& row) { return value < row.first; });
  return found != combining_classes.begin() && point <= (found - 1)->last ? (found - 1)->value : 0;
}

void decompose(char32_t point, std::vector<char32_t>& to) {
  if (point >= hangul_s && point < hangul_s + count_s) {
    const char32_t index = point - hangul_s;
    to.push_back(hangul_l + index / (count_v * count_t));
    to.push_back(hangul_v + index % (count_v * count_t) / count_t);
    if (index % count_t != 0) {
      to.push_back(hangul_t + index % count_t);
    }
    return;
  }
  const auto found =
      std::lower_bound(decompositions.begin(), decompositions.end(), point,
                       [](const Decomposition& row, char32_t value) { return row.point < value; });
  if (found == decompositions.end() || found->point != point) {
    to.push_back(point);
    return;
  }
  decompose(found->first, to);
  if (found->second != 0) {
    decompose(found->second, to);
  }
}

/// The compositions, sorted by their two characters.
std::vector<Decomposition> make_compositions() {
  std::vector<Decomposition> rows;
  std::copy_if(decompositions.begin(), decompositions.end(), std::back_inserter(rows),
               [](const Decomposition& row) { return row.composes; });
  std::sort(rows.begin(), rows.end(), [](const Decomposition& a, const Decomposition& b) {
    return a.first != b.first ? a.first < b.first : a.second < b.second;
  });
  return rows;
}

/// The character that two compose to; 0 if none.
char32_t compose(char32_t first, char32_t second) {
  if (first >= hangul_l && first < hangul_l + count_l && second >= hangul_v &&
      second < hangul_v + count_v) {
    return hangul_s + ((first - hangul_l) * count_v + (second - hangul_v)) * count_t;
  }
  if (first >= hangul_s && first < hangul_s + count_s && (first - hangul_s) % count_t == 0 &&
      second > hangul_t && second < hangul_t + count_t) {
    return first + (second - hangul_t);
  }
  static const std::vector<Decomposition> compositions = make_compositions();
  const auto found = std::lower_bound(
      compositions.begin(), compositions.end(), std::pair(first, second),
      [](const Decomposition& row, const std::pair<char32_t, char32_t>& pair) {
        return row.first != pair.first ? row.first < pair.first : row.second < pair.second;
      });
  return found != compositions.end() && found->first == first && found->second == second
             ? found->point
             : 0;
}

/// Combining marks in order of their class; marks of one class keep their order.
void reorder(std::vector<char32_t>& points) {
  for (auto begin = points.begin(); begin != points.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end =
        std::find_if(begin, points.end(), [](char32_t p) { return combining_class(p) == 0; });
    std::stable_sort(
        begin, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

void compose_all(std::vector<char32_t>& points) {
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t starter = none;
  std::size_t size = 0;
  int last_class = 0;  // of the character kept last after the starter
  for (const char32_t point : points) {
    const int value = combining_class(point);
    // A mark is blocked by one of the same or a higher class between it and the starter.
    const bool adjacent = starter != none && starter + 1 == size;
    if (starter != none && (adjacent || (last_class != 0 && last_class < value))) {
      if (const char32_t composed = compose(points[starter], point)) {
        points[starter] = composed;
        continue;
      }
    }
    if (value == 0) {
      starter = size;
    }
    last_class = value;
    points[size++] = point;
  }
  points.resize(size);
}

std::vector<char32_t> decode_utf8(std::string_view text) {
  std::vector<char32_t> points;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t point = length == 1 ? lead : lead & (0xFF >> (length + 1));
    for (int k = 1; k < length; ++k) {
      point =
          point << 6 | (static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]) & 0x3F);
    }
    points.push_back(point);
    i += static_cast<std::size_t>(length);
  }
  return points;
}

void append_utf8(char32_t point, std::string& text) {
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0 | (point >> 6));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0 | (point >> 12));
    text += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | (point >> 18));
    text += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    text += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  }
}

void append_normalized(std::string_view valid, std::string& to) {
  // Below U+0300 every character is in form C, and there is nothing that composes.
  const bool simple = std::all_of(valid.begin(), valid.end(),
                                  [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
  if (simple) {
    to += valid;
    return;
  }
  std::vector<char32_t> points;
  for (const char32_t point : decode_utf8(valid)) {
    decompose(point, points);
  }
  reorder(points);
  compose_all(points);
  for (const char32_t point : points) {
    append_utf8(point, to);
  }
}

}  // namespace

std::string normalize_nfc(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = invalid_utf8_at(text).value_or(text.size());
    append_normalized(text.substr(0, valid), result);
    text.remove_prefix(valid);
    if (!text.empty()) {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}

}  // namespace precis
