// The option table of a command: the only description of a key, which serves parsing, help, checks
// and the effective deck.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/hints.hpp"

namespace precis {

/// For `OptionInfo::minimum`: negative numbers are allowed without bound.
inline constexpr double unbounded = -std::numeric_limits<double>::infinity();

/// Whether a key names files, and what the command does with them: what it writes must not be what
/// it reads.
enum class FileUse { none, input, output };

/// What is known about a key beside its name, its variable and its default. Every field may be left
/// out; `meaning` should not be.
struct OptionInfo {
  std::string unit = {};     ///< "tokens", "seconds", ...; empty: none
  std::string meaning = {};  ///< a short phrase without full stop
  std::string source = {};   ///< where the default comes from, e.g. a paper's table
  double minimum = 0;        ///< numbers only: a key is never negative unless it says so
  double maximum = std::numeric_limits<double>::infinity();
  std::optional<double> above = {};       ///< numbers only: the value must be greater
  std::optional<double> below = {};       ///< numbers only: the value must be less
  std::vector<std::string> choices = {};  ///< strings only: the allowed words
  bool required = false;                  ///< must be given, and not as an empty string or list
  std::string default_text = {};          ///< help shows this for a default set after parsing
  FileUse file = FileUse::none;           ///< texts and lists only
  /// Of one launch only (its layout, times, tasks): not in the deck that a run keeps, and free to
  /// differ when the run goes on.
  bool launch = false;
};

/// One registered key: its description, and its variable behind text.
struct Option {
  std::string key;
  std::string type;  ///< "integer", "number", "boolean", "text", "word" or "list"
  OptionInfo info;
  std::function<std::string()> text;           ///< the variable's present value
  std::function<bool(std::string_view)> read;  ///< sets the variable; false: not such a value
};

/// What a value of the option must be: "an integer of at least 0", "one of: linear, cosine".
[[nodiscard]] std::string expectation(const Option& option);

/// The keys of one command, bound to variables that keep their defaults until `parse` finds a
/// value. The variables must outlive the table's use and must not move.
///
/// A key is `section.name`, or a plain `name` outside sections; letters, digits and `_`.
class OptionTable {
 public:
  /// `aliases` are names of keys and words elsewhere, for messages only; they must outlive the
  /// table.
  explicit OptionTable(std::span<const Alias> aliases = {}) : aliases_(aliases) {}

  /// Registers a key for a variable, whose present value is the default. Integers and numbers are
  /// finite and within [minimum, maximum]; a boolean is `true` or `false`; a string is any text, or
  /// one of `choices`; a list is text with commas between its items (see `list_items`).
  void add(std::string key, std::int64_t* variable, OptionInfo info);
  void add(std::string key, double* variable, OptionInfo info);
  void add(std::string key, bool* variable, OptionInfo info);
  void add(std::string key, std::string* variable, OptionInfo info);
  void add(std::string key, std::vector<std::string>* variable, OptionInfo info);

  /// Registers a key whose words stand for the values of an enumeration.
  template <class Enum>
  requires std::is_enum_v<Enum>
  void add(std::string key, Enum* variable, std::vector<std::pair<std::string, Enum>> words,
           OptionInfo info);

  /// The key that the command line's first plain word is the value of; without it, that word is the
  /// deck. (`precis inspect FILE`.) A list takes several words, each an item. (`precis report RUN
  /// RUN2`.)
  void set_positional(const std::string& key);

  /// Reads the words after the command's name: `[DECK.cfg] [--key VALUE | --key=VALUE ...]`, and
  /// the deck. The command line wins over the deck, its last value of a key over those before; a
  /// boolean may stand alone for true. Throws UsageError for an unknown key (naming one that may be
  /// meant), a key twice in a deck, a wrong value (naming key, value, what is expected, and file
  /// and line if it came from a deck), a required key that is missing, or an empty word, which most
  /// often is a variable that is not set: `--key=` empties a key. Does nothing about `--help`: see
  /// `asks_for_help`. `deck_text` is the deck's content where it is known already.
  void parse(std::span<const std::string> words,
             const std::optional<std::string>& deck_text = std::nullopt);
  /// The deck that `parse` would read, or empty. Throws UsageError as `parse` does.
  [[nodiscard]] std::string find_deck(std::span<const std::string> words) const;

  /// Whether the deck or the command line gave this key. The key must be registered.
  [[nodiscard]] bool given(const std::string& key) const;
  /// The deck that `parse` read, or empty.
  [[nodiscard]] const std::string& deck() const { return deck_; }
  /// The present value of a key as text, as a deck would hold it (not quoted).
  [[nodiscard]] std::string text(const std::string& key) const;

  /// Every key with the present value of its variable, readable as a deck: reading it back gives
  /// identical values (floats by their shortest exact text). Keys outside sections come first, then
  /// sections in the order of registration.
  [[nodiscard]] std::string effective_deck() const;
  /// The effective deck without the keys of one launch: what a run keeps.
  [[nodiscard]] std::string kept_deck() const;

  /// In the order of registration.
  [[nodiscard]] const std::vector<Option>& options() const { return options_; }
  /// The option of a key, or null.
  [[nodiscard]] const Option* find(std::string_view key) const;
  [[nodiscard]] std::span<const Alias> aliases() const { return aliases_; }
  /// The key that `set_positional` named, or empty.
  [[nodiscard]] const std::string& positional() const { return positional_; }

 private:
  void add(Option option);
  [[nodiscard]] const Option& at(std::string_view key) const;
  void read_value(const std::string& key, const std::string& value, const std::string& where);
  void check_required() const;
  [[nodiscard]] std::string deck_of(const std::function<bool(const Option&)>& wanted) const;

  std::span<const Alias> aliases_;
  std::vector<Option> options_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::set<std::string, std::less<>> given_;
  std::string positional_;
  std::string deck_;
};

/// Whether `--help` or `-h` is among the words.
[[nodiscard]] bool asks_for_help(std::span<const std::string> words);

/// Text of a value as decks hold it: the shortest that reads back identically.
[[nodiscard]] std::string value_text(std::int64_t value);
[[nodiscard]] std::string value_text(double value);
[[nodiscard]] std::string value_text(bool value);

template <class Enum>
requires std::is_enum_v<Enum>
void OptionTable::add(std::string key, Enum* variable,
                      std::vector<std::pair<std::string, Enum>> words, OptionInfo info) {
  for (const auto& [word, value] : words) {
    info.choices.push_back(word);
  }
  auto text = [variable, words]() -> std::string {
    for (const auto& [word, value] : words) {
      if (value == *variable) {
        return word;
      }
    }
    fail("An option's variable holds a value that none of its words stands for.");
  };
  auto read = [variable, words](std::string_view found) {
    for (const auto& [word, value] : words) {
      if (word == found) {
        *variable = value;
        return true;
      }
    }
    return false;
  };
  add(Option{.key = std::move(key),
             .type = "word",
             .info = std::move(info),
             .text = std::move(text),
             .read = std::move(read)});
}

}  // namespace precis
