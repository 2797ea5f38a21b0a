#include "base/plain_words.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/hints.hpp"

namespace precis {
namespace {

/// What to do about a plain word that follows `--key VALUE`: a shell has made several words of a
/// pattern.
std::string advice_on_patterns(const Option& option, std::string_view value) {
  return fmt::format(
      "It follows --{} {}, {}", option.key, value,
      option.type == "list"
          ? "which is one word: put a pattern in quotes, so that the shell leaves it as it is, or "
            "write names separated by commas."
          : "which takes one value. If a shell has made several words of a pattern: rows of "
            "several "
            "files may come by `cat` and /dev/stdin.");
}

/// The ending of a file's name without .gz, such as ".jsonl"; empty if it has none.
std::string_view ending_of(std::string_view name) {
  if (name.ends_with(".gz")) {
    name.remove_suffix(3);
  }
  const auto dot = name.find_last_of("./");
  return dot == std::string_view::npos || name[dot] == '/' ? "" : name.substr(dot);
}

}  // namespace

void check_plain_word(const OptionTable& table, std::span<const std::string> words,
                      const std::string& word) {
  if (word.starts_with('-')) {
    fail_usage("{} is not an option: options have the form --key VALUE.", word);
  }
  const auto equals = word.find('=');
  if (equals != std::string::npos && word.find('/') == std::string::npos &&
      !std::filesystem::exists(word)) {
    std::vector<std::string> keys;
    for (const Option& option : table.options()) {
      keys.push_back(option.key);
    }
    const std::string key = word.substr(0, equals);
    const Hint hint = meant_by(key, keys, table.aliases());
    if (hint.words.size() == 1) {
      fail_usage("{} is not an option: write --{} {}.{}{}", word, hint.words.front(),
                 word.substr(equals + 1), hint.note.empty() ? "" : " ", hint.note);
    }
  }
  const auto place = std::find(words.begin(), words.end(), word) - words.begin();
  if (place < 2 || !table.positional().empty()) {
    return;
  }
  const std::string& value = words[static_cast<std::size_t>(place - 1)];
  const std::string& flag = words[static_cast<std::size_t>(place - 2)];
  const Option* option = flag.starts_with("--") ? table.find(flag.substr(2)) : nullptr;
  const std::string_view ending = ending_of(word);
  if (option != nullptr && !ending.empty() && ending != ".cfg" && ending == ending_of(value)) {
    fail_usage("The argument {} is not a deck. {}", word, advice_on_patterns(*option, value));
  }
}

}  // namespace precis
