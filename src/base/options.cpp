#include "base/options.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cassert>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/deck.hpp"
#include "base/list_text.hpp"
#include "base/plain_words.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

namespace po = boost::program_options;

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && stop == end;
}

bool in_range(double value, const OptionInfo& info) {
  return std::isfinite(value) && value >= info.minimum && value <= info.maximum &&
         (!info.above || value > *info.above) && (!info.below || value < *info.below);
}

std::string range_text(const OptionInfo& info) {
  const bool has_minimum =
      std::isfinite(info.minimum) && !(info.above && *info.above >= info.minimum);
  const bool has_maximum = std::isfinite(info.maximum);
  std::vector<std::string> parts;
  if (info.above) {
    parts.push_back(fmt::format("greater than {}", *info.above));
  }
  if (has_minimum && has_maximum) {
    parts.push_back(fmt::format("from {} to {}", info.minimum, info.maximum));
  } else if (has_minimum) {
    parts.push_back(fmt::format("of at least {}", info.minimum));
  } else if (has_maximum) {
    parts.push_back(fmt::format("of at most {}", info.maximum));
  }
  if (info.below) {
    parts.push_back(fmt::format("less than {}", *info.below));
  }
  return parts.empty() ? "" : " " + joined(parts, " and ");
}

template <class Number>
Option number_option(std::string key, std::string type, Number* variable, OptionInfo info) {
  auto read = [variable, info](std::string_view text) {
    Number value{};
    if (!read_number(text, value) || !in_range(static_cast<double>(value), info)) {
      return false;
    }
    *variable = value;
    return true;
  };
  return {.key = std::move(key),
          .type = std::move(type),
          .info = std::move(info),
          .text = [variable] { return value_text(*variable); },
          .read = std::move(read)};
}

/// Whether the text is an integer that is too large for one, which is not what its range says.
bool is_beyond_integers(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc::result_out_of_range && stop == end;
}

/// What a value must be that this one is not.
std::string expectation_instead_of(std::string_view value, const Option& option) {
  const bool beyond =
      option.type == "integer" && is_beyond_integers(value) && !std::isfinite(option.info.maximum);
  return expectation(option) +
         (beyond ? fmt::format("; the largest is {}", std::numeric_limits<std::int64_t>::max())
                 : "");
}

bool is_boolean(std::string_view text) { return text == "true" || text == "false"; }

std::string section_of(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string{} : std::string{key.substr(0, dot)};
}

std::string name_of(std::string_view key) {
  const auto dot = key.rfind('.');
  return std::string{dot == std::string_view::npos ? key : key.substr(dot + 1)};
}

[[noreturn]] void fail_unknown(const OptionTable& table, std::string_view key,
                               const std::string& where) {
  std::vector<std::string> keys;
  for (const Option& option : table.options()) {
    keys.push_back(option.key);
  }
  if (where.empty()) {
    keys.emplace_back("help");
  }
  const Hint hint = meant_by(key, keys, table.aliases());
  fail_usage("{}{} is not a key of this command{}",
             where.empty() ? std::string{"--"} : where + ": ", key,
             hint.words.empty() ? "; --help lists its keys."
                                : "." + question(hint, where.empty() ? "--" : ""));
}

/// Takes `--key VALUE` or `--key=VALUE` from the front of the remaining words. (Boost would guess
/// abbreviated keys, and let no boolean stand alone before a plain word.)
std::vector<po::option> take_option(const OptionTable& table, std::vector<std::string>& rest) {
  const std::string word = rest.front();
  if (!word.starts_with("--") || word == "--") {
    return {};
  }
  rest.erase(rest.begin());
  const auto equals = word.find('=');
  const bool has_value = equals != std::string::npos;
  const std::string key = word.substr(2, has_value ? equals - 2 : equals);
  const Option* option = table.find(key);
  if (option == nullptr) {
    fail_unknown(table, key, "");
  }
  const auto taken = [&key](const std::string& value) {
    return po::option(key, std::vector<std::string>{value});
  };
  if (has_value) {
    return {taken(word.substr(equals + 1))};
  }
  if (!rest.empty() && rest.front().empty()) {
    fail_usage(
        "--{} is followed by an empty argument, expected {}: perhaps a variable that is not set. "
        "To leave the key empty on purpose, write --{}= as one word.",
        key, expectation(*option), key);
  }
  const bool boolean = option->type == "boolean";
  // Where plain words are files and not decks, one after a boolean is more likely the file than a
  // wrong value.
  if (!rest.empty() && !rest.front().starts_with("--") &&
      (!boolean || table.positional().empty() || is_boolean(rest.front()))) {
    const std::string value = rest.front();
    rest.erase(rest.begin());
    return {taken(value)};
  }
  if (!boolean) {
    fail_usage(
        "--{} has no value, expected {} (a value that begins with -- is written --{}=VALUE).", key,
        expectation(*option), key);
  }
  return {taken("true")};
}

po::options_description description_of(const std::vector<Option>& options) {
  po::options_description description;
  for (const Option& option : options) {
    description.add_options()(option.key.c_str(), po::value<std::string>());
  }
  return description;
}

/// Of a key that stands there several times, the last value counts.
void keep_last_values(std::vector<po::option>& options) {
  for (auto option = options.begin(); option != options.end();) {
    const bool again = std::any_of(std::next(option), options.end(), [&](const po::option& later) {
      return later.string_key == option->string_key;
    });
    option = again ? options.erase(option) : std::next(option);
  }
}

/// The command line's options; a plain word becomes the positional key's value or `deck`.
po::parsed_options read_command_line(const OptionTable& table, std::span<const std::string> words,
                                     const po::options_description& description,
                                     std::string& deck) {
  po::parsed_options line =
      po::command_line_parser(std::vector<std::string>(words.begin(), words.end()))
          .options(description)
          .style(po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent)
          .extra_style_parser(
              [&table](std::vector<std::string>& rest) { return take_option(table, rest); })
          .run();
  const std::string& positional = table.positional();
  std::vector<std::string> plain_words;
  for (const po::option& option : line.options) {
    if (option.string_key.empty()) {
      plain_words.push_back(option.value.front());
    }
  }
  std::erase_if(line.options, [](const po::option& option) { return option.string_key.empty(); });
  for (const std::string& word : plain_words) {
    if (word.empty()) {
      fail_usage(
          "An argument is empty, expected the name of a {}: perhaps a variable that is not set.",
          positional.empty() ? "deck" : positional);
    }
    check_plain_word(table, words, word);
  }
  keep_last_values(line.options);
  const Option* named = positional.empty() ? nullptr : table.find(positional);
  const bool takes_several = named != nullptr && named->type == "list";
  if (plain_words.size() > 1 && !takes_several) {
    fail_usage("The argument {} is one too many: expected one {}, then options.", plain_words[1],
               positional.empty() ? "deck" : positional);
  }
  if (!plain_words.empty() && positional.empty()) {
    deck = plain_words.front();
  } else if (!plain_words.empty()) {
    line.options.emplace_back(
        positional,
        std::vector<std::string>{takes_several ? list_text(plain_words) : plain_words.front()});
  }
  return line;
}

}  // namespace

std::string value_text(std::int64_t value) { return fmt::format("{}", value); }
std::string value_text(double value) { return fmt::format("{}", value); }
std::string value_text(bool value) { return value ? "true" : "false"; }

std::string expectation(const Option& option) {
  std::string text;
  if (option.type == "integer") {
    text = "an integer" + range_text(option.info);
  } else if (option.type == "number") {
    text = "a finite number" + range_text(option.info);
  } else if (option.type == "boolean") {
    text = "true or false";
  } else if (option.type == "word") {
    text = "one of: " + joined(option.info.choices, ", ");
  } else if (option.type == "list") {
    text = "a comma list without empty items (\\, for a comma in one)";
  } else {
    text = "text";
  }
  if (option.info.required && (option.type == "list" || option.type == "text")) {
    text += ", not empty";
  }
  return text;
}

bool asks_for_help(std::span<const std::string> words) {
  return std::any_of(words.begin(), words.end(),
                     [](const std::string& word) { return word == "--help" || word == "-h"; });
}

void OptionTable::add(std::string key, std::int64_t* variable, OptionInfo info) {
  add(number_option(std::move(key), "integer", variable, std::move(info)));
}

void OptionTable::add(std::string key, double* variable, OptionInfo info) {
  add(number_option(std::move(key), "number", variable, std::move(info)));
}

void OptionTable::add(std::string key, bool* variable, OptionInfo info) {
  auto read = [variable](std::string_view text) {
    if (!is_boolean(text)) {
      return false;
    }
    *variable = text == "true";
    return true;
  };
  add(Option{.key = std::move(key),
             .type = "boolean",
             .info = std::move(info),
             .text = [variable] { return value_text(*variable); },
             .read = read});
}

void OptionTable::add(std::string key, std::string* variable, OptionInfo info) {
  auto read = [variable, choices = info.choices, required = info.required](std::string_view text) {
    const bool allowed = choices.empty()
                             ? !(required && text.empty())
                             : std::find(choices.begin(), choices.end(), text) != choices.end();
    if (allowed) {
      *variable = text;
    }
    return allowed;
  };
  add(Option{.key = std::move(key),
             .type = info.choices.empty() ? "text" : "word",
             .info = std::move(info),
             .text = [variable] { return *variable; },
             .read = std::move(read)});
}

void OptionTable::add(std::string key, std::vector<std::string>* variable, OptionInfo info) {
  auto read = [variable, required = info.required](std::string_view text) {
    std::vector<std::string> items = list_items(text);
    const bool allowed =
        std::find(items.begin(), items.end(), "") == items.end() && !(required && items.empty());
    if (allowed) {
      *variable = std::move(items);
    }
    return allowed;
  };
  add(Option{.key = std::move(key),
             .type = "list",
             .info = std::move(info),
             .text = [variable] { return list_text(*variable); },
             .read = std::move(read)});
}

void OptionTable::add(Option option) {
  const bool fresh = index_.emplace(option.key, options_.size()).second;
  require(fresh, "The key {} is registered twice.", option.key);
  options_.push_back(std::move(option));
}

const Option* OptionTable::find(std::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &options_[found->second];
}

const Option& OptionTable::at(std::string_view key) const {
  const Option* option = find(key);
  require(option != nullptr, "The key {} is asked for but not registered.", key);
  return *option;
}

void OptionTable::set_positional(const std::string& key) { positional_ = at(key).key; }

bool OptionTable::given(const std::string& key) const { return given_.contains(at(key).key); }

std::string OptionTable::text(const std::string& key) const { return at(key).text(); }

void OptionTable::read_value(const std::string& key, const std::string& value,
                             const std::string& where) {
  const Option& option = at(key);
  if (value == "-" && option.info.file != FileUse::none) {
    const bool input = option.info.file == FileUse::input;
    fail_usage("{}{} is -, which is no file: standard {} is named {} here.", where,
               where.starts_with("--") ? "" : ": " + key, input ? "input" : "output",
               input ? "/dev/stdin" : "/dev/stdout");
  }
  if (!option.read(value)) {
    const std::string hint = question(meant_by(value, option.info.choices, aliases_));
    if (where.starts_with("--")) {
      fail_usage("{} is '{}', expected {}.{}", where, value, expectation_instead_of(value, option),
                 hint);
    }
    fail_usage("{}: {} is '{}', expected {}.{}", where, key, value,
               expectation_instead_of(value, option), hint);
  }
  given_.insert(key);
}

void OptionTable::check_required() const {
  std::vector<std::string> missing;
  for (const Option& option : options_) {
    if (option.info.required && !given(option.key)) {
      missing.push_back(fmt::format("--{} ({})", option.key, option.info.meaning));
    }
  }
  if (!missing.empty()) {
    fail_usage("Missing: {}.", joined(missing, ", "));
  }
}

std::string OptionTable::find_deck(std::span<const std::string> words) const {
  try {
    std::string deck;
    (void)read_command_line(*this, words, description_of(options_), deck);
    return deck;
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
}

void OptionTable::parse(std::span<const std::string> words,
                        const std::optional<std::string>& deck_text) {
  try {
    const po::options_description description = description_of(options_);
    std::map<std::string, std::string> where;
    const po::parsed_options line = read_command_line(*this, words, description, deck_);
    for (const po::option& option : line.options) {
      if (!where.emplace(option.string_key, "--" + option.string_key).second) {
        fail_usage("--{} is given twice: with its name, and as the argument {} without it.",
                   option.string_key, option.value.front());
      }
    }
    po::parsed_options deck(&description);
    if (!deck_.empty()) {
      for (const DeckEntry& entry : deck_text ? parse_deck(*deck_text, deck_) : read_deck(deck_)) {
        const std::string place = fmt::format("{}:{}", deck_, entry.line);
        if (find(entry.key) == nullptr) {
          fail_unknown(*this, entry.key, place);
        }
        deck.options.emplace_back(entry.key, std::vector<std::string>{entry.value});
        where.emplace(entry.key, place);
      }
    }
    // What is stored first wins.
    po::variables_map values;
    po::store(line, values);
    po::store(deck, values);
    for (const Option& option : options_) {
      if (values.contains(option.key)) {
        read_value(option.key, values[option.key].as<std::string>(), where.at(option.key));
      }
    }
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
  check_required();
}

std::string OptionTable::effective_deck() const {
  return deck_of([](const Option&) { return true; });
}

std::string OptionTable::kept_deck() const {
  return deck_of([](const Option& option) { return !option.info.launch; });
}

std::string OptionTable::deck_of(const std::function<bool(const Option&)>& wanted) const {
  std::vector<std::string> sections{""};
  for (const Option& option : options_) {
    const std::string section = section_of(option.key);
    if (wanted(option) && std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
    }
  }
  std::string deck;
  for (const std::string& section : sections) {
    if (!section.empty()) {
      deck += fmt::format("{}[{}]\n", deck.empty() ? "" : "\n", section);
    }
    for (const Option& option : options_) {
      if (wanted(option) && section_of(option.key) == section) {
        const std::string value = deck_value(option.text());
        deck += fmt::format("{} ={}{}\n", name_of(option.key), value.empty() ? "" : " ", value);
      }
    }
  }
  return deck;
}

}  // namespace precis
