#include "data/tokenizer_trainer.hpp"

#include "base/error.hpp"
#include "data/byte_alphabet.hpp"

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

namespace precis {
namespace {

struct Word {
  std::vector<std::int32_t> symbols;
  std::int64_t count = 0;
};

struct Pair {
  std::int32_t left = 0;
  std::int32_t right = 0;
  bool operator==(const Pair&) const = default;
};

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return std::hash<std::uint64_t>{}(static_cast<std::uint64_t>(pair.left) << 32 |
                                      static_cast<std::uint32_t>(pair.right));
  }
};

/// How often a pair occurs, and the words that have or had it.
struct Occurrences {
  std::int64_t count = 0;
  std::vector<std::int32_t> words;
};

struct Candidate {
  std::int64_t count = 0;
  Pair pair;
  /// The heap's top is the most frequent pair, then the lowest ids.
  bool operator<(const Candidate& other) const {
    return std::tie(count, other.pair.left, other.pair.right) <
           std::tie(other.count, pair.left, pair.right);
  }
};

class Merger {
 public:
  explicit Merger(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const auto& symbols = words_[w].symbols;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        change({symbols[i], symbols[i + 1]}, words_[w].count, static_cast<std::int32_t>(w));
      }
    }
    for (const auto& [pair, occurrences] : pairs_) {
      heap_.push({occurrences.count, pair});
    }
    touched_.clear();
  }

  /// The next pair to merge; a count below 2 if there is none.
  Candidate best() {
    while (!heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      const auto found = pairs_.find(top.pair);
      // A count that has changed since was pushed again.
      if (found != pairs_.end() && found->second.count == top.count) {
        return top;
      }
    }
    return {};
  }

  void merge(Pair pair, std::int32_t result) {
    std::vector<std::int32_t> where = std::move(pairs_.at(pair).words);
    pairs_.erase(pair);
    std::sort(where.begin(), where.end());
    where.erase(std::unique(where.begin(), where.end()), where.end());
    for (const std::int32_t w : where) {
      merge_word(w, pair, result);
    }
    for (const Pair& changed : touched_) {
      if (const auto found = pairs_.find(changed); found != pairs_.end()) {
        heap_.push({found->second.count, changed});
      }
    }
    touched_.clear();
  }

 private:
  void change(Pair pair, std::int64_t by, std::int32_t word) {
    Occurrences& occurrences = pairs_[pair];
    occurrences.count += by;
    if (by > 0 && (occurrences.words.empty() || occurrences.words.back() != word)) {
      occurrences.words.push_back(word);
    }
    touched_.push_back(pair);
  }

  void merge_word(std::int32_t w, Pair pair, std::int32_t result) {
    Word& word = words_[static_cast<std::size_t>(w)];
    std::vector<std::int32_t> merged;
    merged.reserve(word.symbols.size());
    for (std::size_t i = 0; i < word.symbols.size(); ++i) {
      const bool match = i + 1 < word.symbols.size() && word.symbols[i] == pair.left &&
                         word.symbols[i + 1] == pair.right;
      merged.push_back(match ? result : word.symbols[i]);
      i += match ? 1 : 0;
    }
    if (merged.size() == word.symbols.size()) {
      return;  // an earlier merge took this word's occurrences
    }
    for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
      if (const Pair old{word.symbols[i], word.symbols[i + 1]}; old != pair) {
        change(old, -word.count, w);
      }
    }
    for (std::size_t i = 0; i + 1 < merged.size(); ++i) {
      change({merged[i], merged[i + 1]}, word.count, w);
    }
    word.symbols = std::move(merged);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, Occurrences, PairHash> pairs_;
  std::priority_queue<Candidate> heap_;
  std::vector<Pair> touched_;
};

}  // namespace

void TokenizerTrainer::add(std::string_view text) {
  pretokenizer_.split(text, [&](std::string_view piece) { ++pieces_[std::string(piece)]; });
}

Tokenizer TokenizerTrainer::train(std::int64_t vocabulary) const {
  constexpr std::int64_t fewest = 257;
  if (vocabulary < fewest || vocabulary > (std::int64_t{1} << 24)) {
    fail_usage(
        "A vocabulary of {} tokens was asked for; at least {} are needed (the 256 bytes and the "
        "end token) and at most {} are possible.",
        vocabulary, fewest, std::int64_t{1} << 24);
  }
  TokenizerParts parts;
  std::array<std::int32_t, 256> byte_tokens{};
  for (const unsigned char byte : bytes_in_alphabet_order()) {
    byte_tokens[byte] = static_cast<std::int32_t>(parts.tokens.size());
    parts.tokens.emplace_back(1, static_cast<char>(byte));
  }
  // Sorted, so that nothing depends on the order of the hash table.
  const std::map<std::string_view, std::int64_t> sorted(pieces_.begin(), pieces_.end());
  std::vector<Word> words;
  for (const auto& [piece, count] : sorted) {
    Word word{.symbols = {}, .count = count};
    for (const char byte : piece) {
      word.symbols.push_back(byte_tokens[static_cast<unsigned char>(byte)]);
    }
    words.push_back(std::move(word));
  }

  std::unordered_map<std::string, std::int32_t> ids;
  Merger merger(std::move(words));
  while (static_cast<std::int64_t>(parts.tokens.size()) + 1 < vocabulary) {
    const Candidate best = merger.best();
    if (best.count < 2) {
      break;
    }
    const std::string token = parts.tokens[static_cast<std::size_t>(best.pair.left)] +
                              parts.tokens[static_cast<std::size_t>(best.pair.right)];
    // Two merges may make the same bytes ("ab" + "c", "a" + "bc"): one token then.
    const auto [known, added] = ids.emplace(token, static_cast<std::int32_t>(parts.tokens.size()));
    if (added) {
      parts.tokens.push_back(token);
    }
    parts.merges.push_back({best.pair.left, best.pair.right, known->second});
    merger.merge(best.pair, known->second);
  }
  parts.added.push_back({.content = "<|endoftext|>",
                         .id = static_cast<std::int32_t>(parts.tokens.size()),
                         .special = true});
  parts.tokens.emplace_back("<|endoftext|>");
  return Tokenizer(std::move(parts), "the trained tokenizer");
}

}  // namespace precis
