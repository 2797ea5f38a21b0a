// What somebody probably meant by a word that does not exist: by closeness, and by the names that
// other programs use.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// A name from elsewhere, in lower case and with `_` for `-`, and the word for it here.
struct Alias {
  std::string_view name;
  std::string_view word;
  std::string_view note = {};  ///< a sentence on what is different here; empty: nothing is
};

/// What may have been meant; no words where nothing comes close.
struct Hint {
  std::vector<std::string> words;
  std::string_view note;
};

/// The number of letters to insert, delete, replace or swap with their neighbour to turn one word
/// into the other (optimal string alignment).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// Those of `words` that `word` may have been meant as, at most three. A word has the form
/// `section.name` or `name`; case, and `-` for `_`, do not matter. In this order, the first that
/// finds any:
///   1. the same name in another section or without one (`steps` or `ppo.steps`: `train.steps`);
///   2. an alias whose word is among `words`, the first of them;
///   3. a name with few slips, at most one for three letters (`train.setps`);
///   4. an alias with few slips, the closest;
///   5. a name that begins with the given one, or ends with it behind a `_` (`warmup`:
///      `train.warmup_steps`), from three letters on.
/// A section may also stand before the name with `_` between (`train_steps`).
[[nodiscard]] Hint meant_by(std::string_view word, std::span<const std::string> words,
                            std::span<const Alias> aliases = {});

/// " Did you mean ann or anna?", each word behind `prefix`, and the note behind that; empty where
/// nothing comes close.
[[nodiscard]] std::string question(const Hint& hint, std::string_view prefix = "");

}  // namespace precis
