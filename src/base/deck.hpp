// Decks: the text files of `[section]` and `key = value` lines that describe a run.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// One line of a deck, its key with the section (`train.steps`), its value without quotes.
struct DeckEntry {
  std::string key;
  std::string value;
  int line;
};

/// Reads a deck. `#` starts a comment at the start of a line or after a blank; a byte order mark,
/// CRLF and a missing final newline do not matter. A value that begins with `"` ends at the next
/// `"` and may hold \\ \" \n \r \t \xHH; any other value is taken as it stands, without the blanks
/// around it. Throws UsageError "`name`:LINE: ..." for a line that is not UTF-8 or not a section, a
/// key or a comment, and for a key that is there twice.
[[nodiscard]] std::vector<DeckEntry> parse_deck(std::string_view text, const std::string& name);

/// Reads the deck in `file`; UsageError also when it cannot be read.
[[nodiscard]] std::vector<DeckEntry> read_deck(const std::filesystem::path& file);

/// The value as it must stand in a deck to be read back: quoted only where it has to be.
[[nodiscard]] std::string deck_value(std::string_view value);

/// A key whose value differs between two decks; nothing where a deck lacks the key.
struct DeckDifference {
  std::string key;
  std::optional<std::string> before;
  std::optional<std::string> after;
};

/// The keys whose values differ between two decks (as text: of effective decks), those of `before`
/// in its order, then those that only `after` has.
[[nodiscard]] std::vector<DeckDifference> deck_differences(const std::vector<DeckEntry>& before,
                                                           const std::vector<DeckEntry>& after);

/// Whether a key's text may differ when a run is continued: lengths, checkpoints, logs, threads,
/// layout, times; and inputs, of which the content counts.
[[nodiscard]] bool may_differ_when_continued(std::string_view key);

/// Whether a key says how a run is done, not what it gives: of a run that cannot go on, the others
/// may not differ.
[[nodiscard]] bool says_how_only(std::string_view key);

/// "train.batch (was '16', now '8')" for each key that differs, unless it `may_differ`, or is one
/// that decks of an earlier version lack and has the value that they meant.
[[nodiscard]] std::vector<std::string> changed_keys(const std::vector<DeckEntry>& before,
                                                    const std::vector<DeckEntry>& after,
                                                    bool (*may_differ)(std::string_view key));

/// Throws UsageError naming each key of a continued run that differs and may not, with both values.
/// `stored` names the deck of the run so far.
void check_continued_deck(const std::vector<DeckEntry>& before, const std::vector<DeckEntry>& after,
                          const std::string& stored);

}  // namespace precis
