#include "base/deck.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// Whether a `#` at this place begins a comment.
bool comment_at(std::string_view line, std::size_t place) {
  return line[place] == '#' && (place == 0 || is_blank(line[place - 1]));
}

std::string_view without_comment(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (comment_at(line, i)) {
      return line.substr(0, i);
    }
  }
  return line;
}

/// A line for a message: its beginning, if it is long, without half a character at the end.
std::string shown(std::string_view line) {
  constexpr std::size_t longest = 80;
  if (line.size() <= longest) {
    return std::string{line};
  }
  line = line.substr(0, longest);
  return std::string{line.substr(0, invalid_utf8_at(line).value_or(line.size()))} + "...";
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.';
  });
}

int hex_digit(char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto place = digits.find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  return place == std::string_view::npos ? -1 : static_cast<int>(place);
}

/// The text between the quotes; `line` begins with the first quote. Sets `end` behind the last one.
std::string quoted_text(std::string_view line, std::size_t& end, const std::string& where) {
  std::string text;
  std::size_t i = 1;
  while (i < line.size() && line[i] != '"') {
    if (line[i] != '\\') {
      text += line[i++];
      continue;
    }
    const char kind = i + 1 < line.size() ? line[i + 1] : '\0';
    i += 2;
    switch (kind) {
      case '\\':
      case '"':
        text += kind;
        break;
      case 'n':
        text += '\n';
        break;
      case 'r':
        text += '\r';
        break;
      case 't':
        text += '\t';
        break;
      case 'x': {
        const int high = i < line.size() ? hex_digit(line[i]) : -1;
        const int low = i + 1 < line.size() ? hex_digit(line[i + 1]) : -1;
        if (high < 0 || low < 0) {
          fail_usage("{}: \\x in a quoted value is followed by two hexadecimal digits.", where);
        }
        text += static_cast<char>(high * 16 + low);
        i += 2;
        break;
      }
      default:
        fail_usage(R"({}: a quoted value may hold \\ \" \n \r \t \xHH, no other use of \.)", where);
    }
  }
  if (i >= line.size()) {
    fail_usage("{}: the quoted value has no closing quote.", where);
  }
  end = i + 1;
  return text;
}

/// The value that stands behind the equals sign.
std::string read_value(std::string_view text, const std::string& where) {
  const std::string_view value = trimmed(without_comment(text));
  if (!value.starts_with('"')) {
    return std::string{value};
  }
  text.remove_prefix(text.find('"'));
  std::size_t end = 0;
  std::string unquoted = quoted_text(text, end, where);
  const std::string_view rest = text.substr(end);
  if (!trimmed(rest.empty() || is_blank(rest.front()) ? without_comment(rest) : rest).empty()) {
    fail_usage("{}: found '{}' behind the quoted value, expected the end of the line.", where,
               shown(trimmed(rest)));
  }
  return unquoted;
}

/// The name between the brackets of a section line.
std::string read_section(std::string_view line, const std::string& where) {
  const std::string_view name =
      line.ends_with(']') ? trimmed(line.substr(1, line.size() - 2)) : std::string_view{};
  if (!is_name(name)) {
    fail_usage("{}: found '{}', expected [section], letters, digits and _ in brackets.", where,
               shown(line));
  }
  return std::string{name};
}

std::optional<std::string> value_in(const std::vector<DeckEntry>& deck, std::string_view key) {
  const auto entry = std::find_if(deck.begin(), deck.end(),
                                  [key](const DeckEntry& one) { return one.key == key; });
  return entry == deck.end() ? std::nullopt : std::optional{entry->value};
}

/// Throws UsageError for what is often given in a deck's place, by the file's first bytes.
void require_deck(std::string_view begin, const std::string& name) {
  if (begin.starts_with("\x89HDF\r\n\x1a\n")) {
    fail_usage("{0} is a model file (HDF5), not a deck; use --model {0}.", name);
  }
  if (begin.starts_with('{')) {
    fail_usage("{0} holds JSON, not a deck; give it to a key, such as --input or --data.train.",
               name);
  }
}

}  // namespace

std::vector<DeckEntry> parse_deck(std::string_view text, const std::string& name) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    text.remove_prefix(3);
  }
  std::vector<DeckEntry> entries;
  std::map<std::string, int> line_of;
  std::string section;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const std::string where = fmt::format("{}:{}", name, number);
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (const auto place = invalid_utf8_at(line)) {
      fail_usage("{}: byte {} of the line is not UTF-8 text.", where, *place + 1);
    }
    const std::string_view content = trimmed(without_comment(line));
    if (content.empty()) {
      continue;
    }
    if (content.starts_with('[')) {
      section = read_section(content, where);
      continue;
    }
    const auto equals = content.find('=');
    const std::string_view key = trimmed(content.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(key)) {
      fail_usage("{}: found '{}', expected `[section]`, `key = value` or a # comment.", where,
                 shown(content));
    }
    DeckEntry entry{.key = section.empty() ? std::string{key} : fmt::format("{}.{}", section, key),
                    .value = read_value(line.substr(line.find('=') + 1), where),
                    .line = number};
    const auto [first, fresh] = line_of.emplace(entry.key, number);
    if (!fresh) {
      fail_usage("{}: the key {} is there twice; it is already in line {}.", where, entry.key,
                 first->second);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<DeckEntry> read_deck(const std::filesystem::path& file) {
  const auto cannot_read = [&file] {
    fail_usage("{}", with_errno(fmt::format("Cannot read the deck {}", file.string())));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rb"),
                                                               &std::fclose);
  if (!stream) {
    cannot_read();
  }
  std::string text;
  std::array<char, 65536> part{};
  while (const auto count = std::fread(part.data(), 1, part.size(), stream.get())) {
    text.append(part.data(), count);
    require_deck(text, file.string());  // at once: a model file may be large
  }
  if (std::ferror(stream.get()) != 0) {
    cannot_read();
  }
  return parse_deck(text, file.string());
}

std::string deck_value(std::string_view value) {
  const bool has_control = std::any_of(value.begin(), value.end(),
                                       [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  const bool plain = value == trimmed(value) && !value.starts_with('"') && !has_control &&
                     without_comment(value) == value && !invalid_utf8_at(value);
  if (plain) {
    return std::string{value};
  }
  const bool is_utf8 = !invalid_utf8_at(value);
  std::string text = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\t') {
      text += "\\t";
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_utf8)) {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text + '"';
}

std::vector<DeckDifference> deck_differences(const std::vector<DeckEntry>& before,
                                             const std::vector<DeckEntry>& after) {
  std::vector<DeckDifference> differences;
  for (const DeckEntry& entry : before) {
    const auto value = value_in(after, entry.key);
    if (value != entry.value) {
      differences.push_back({entry.key, entry.value, value});
    }
  }
  for (const DeckEntry& entry : after) {
    if (!value_in(before, entry.key)) {
      differences.push_back({entry.key, std::nullopt, entry.value});
    }
  }
  return differences;
}

bool says_how_only(std::string_view key) {
  constexpr std::array<std::string_view, 11> keys{
      "train.stop_after", "threads",  "device", "grid",    "placement",        "run",
      "watchdog_seconds", "end_time", "trace",  "dry_run", "ppo.check_weights"};
  return std::find(keys.begin(), keys.end(), key) != keys.end() || key.starts_with("checkpoint.") ||
         key.starts_with("log.") || key.ends_with(".grid");
}

bool may_differ_when_continued(std::string_view key) {
  constexpr std::array<std::string_view, 14> keys{
      "train.steps",
      // Inputs, whose content is compared (TrainingRun::check_inputs).
      "data.train", "data.valid", "data.prompts", "data.worker_weights", "data.exclude_workers",
      "data.valid_excludes_workers", "ppo.replay", "model", "tokenizer", "policy", "reference",
      "reward", "value"};
  return says_how_only(key) || std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// Keys that runs of earlier versions did not have, with the values that mean what these did; any
/// number of parts agrees with these to rounding.
bool meant_before_it_was_there(const DeckDifference& difference,
                               const std::vector<DeckEntry>& before) {
  if (difference.before) {
    return false;
  }
  if (difference.key == "ppo.value_lambda") {
    return difference.after == value_in(before, "ppo.lambda");
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> meant{
      {{"data.bos", "auto"},
       {"ppo.value_warmup_steps", "0"},
       {"ppo.kl_estimator", "k1"},
       {"ppo.correction", "none"},
       {"ppo.correction_level", "token"},
       {"ppo.correction_cap", "2"}}};
  return difference.key == "exact.data_parts" || difference.key == "exact.tensor_parts" ||
         std::any_of(meant.begin(), meant.end(), [&](const auto& one) {
           return difference.key == one.first && difference.after == one.second;
         });
}

std::vector<std::string> changed_keys(const std::vector<DeckEntry>& before,
                                      const std::vector<DeckEntry>& after,
                                      bool (*may_differ)(std::string_view key)) {
  std::vector<std::string> changes;
  const auto shown = [](const std::optional<std::string>& value) {
    return value ? fmt::format("'{}'", *value) : std::string{"absent"};
  };
  for (const DeckDifference& difference : deck_differences(before, after)) {
    if (!may_differ(difference.key) && !meant_before_it_was_there(difference, before)) {
      changes.push_back(fmt::format("{} (was {}, now {})", difference.key, shown(difference.before),
                                    shown(difference.after)));
    }
  }
  return changes;
}

void check_continued_deck(const std::vector<DeckEntry>& before, const std::vector<DeckEntry>& after,
                          const std::string& stored) {
  const auto changes = changed_keys(before, after, may_differ_when_continued);
  if (!changes.empty()) {
    fail_usage(
        "The run cannot be continued with other values than it was begun with in {}: {}. Give the "
        "former values, or another run folder.",
        stored, joined(changes, ", "));
  }
}

}  // namespace precis
