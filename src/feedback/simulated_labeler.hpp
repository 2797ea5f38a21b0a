// Labelers made of the gold labeler, noise and biases, so that their true reliability is known.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/comparisons.hpp"
#include "synthetic/gold_labeler.hpp"
#include "synthetic/grammar.hpp"

namespace precis {

/// What a simulated labeler is like; with the defaults, gold with noise.
struct Labeler {
  std::string worker;         ///< The name in the comparisons, part of what the noise depends on.
  double temperature = 0.15;  ///< Of Bradley and Terry's model, on gold's scale; 0: no noise.
  /// Share of the comparisons that are judged; the others are coin tosses.
  double reliability = 1;
  /// The reliability falls linearly: by this share of it from the first pair to the last.
  double drift = 0;
  double blindness = 0;     ///< How little it sees that a statement is wrong: 0 as gold, 1 not.
  double gold_weight = 1;   ///< Of the margin; negative: prefers what gold does not.
  double length_bonus = 0;  ///< What a summary e times longer gains, on gold's scale.
};

/// What a labeler judges a summary by.
struct Quality {
  double gold = 0;   ///< `gold_score(...).overall`
  double blind = 0;  ///< The same as if the post said what the summary says of it.
  int words = 0;
};
[[nodiscard]] Quality quality_of(const Facts& facts, const std::string& text, bool ended);
/// The qualities of both summaries of a pair; nothing if the post is not of the embedded grammar. A
/// summary whose note is "length" did not end.
[[nodiscard]] std::optional<std::array<Quality, 2>> qualities_of(const Comparison& pair);

struct Judgement {
  int choice = 0;
  /// OpenAI's scale: 1 "surely the first" to 9 "surely the second"; 5 does not occur, as one of the
  /// two has to be chosen. By the margin at the labeler's temperature with the noise that made the
  /// choice, so that it does not tell which choices are mistakes; of a coin toss at random.
  int confidence = 0;
};

/// Which pair is judged, and when.
struct PairToJudge {
  std::uint64_t number = 0;  ///< `pair_number`: the same in either order
  bool swapped = false;      ///< The first text comes after the second in the order of bytes.
  double time = 0;           ///< From 0, the first pair, to 1, the last: for labelers that drift.
};

/// Which of two summaries the labeler prefers: the second with probability
/// sigmoid(margin / temperature) (Bradley and Terry 1952), where margin = gold_weight * (the
/// second's quality - the first's) + length_bonus * log(the second's words / the first's), and
/// quality = gold + blindness * (blind - gold). A function of (seed, labeler, pair): but for drift,
/// the same wherever among others, and in whichever order, the pair is shown.
[[nodiscard]] Judgement judge(const std::array<Quality, 2>& summaries, const Labeler& labeler,
                              std::uint64_t seed, const PairToJudge& pair);

/// Which labelers judge each pair: `per_pair` different ones, in random order, each labeler as
/// often as any other, give or take one. A function of the arguments. `per_pair` is from 1 to
/// `labelers`.
[[nodiscard]] std::vector<std::vector<std::size_t>> assign_labelers(std::size_t pairs,
                                                                    std::size_t labelers,
                                                                    std::size_t per_pair,
                                                                    std::uint64_t seed);

}  // namespace precis
