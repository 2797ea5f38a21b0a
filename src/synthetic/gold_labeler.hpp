// The gold labeler: what a summary of the embedded data set is worth, by reading it back.
#pragma once

#include <string_view>

#include "synthetic/grammar.hpp"

namespace precis {

/// The bounds of a summary's length, in words, both included.
inline constexpr int gold_least_words = 5;
inline constexpr int gold_most_words = 26;
/// What a complete summary earns: one for each fact, two for the question.
inline constexpr int gold_full_points = 8;

/// A summary on the axes of the paper (Stiennon et al. 2020, appendix C.5), each checked by a
/// program.
struct GoldScore {
  double overall = 0;   ///< In [-1, 1].
  double coverage = 0;  ///< Points of the right facts stated, over `gold_full_points`.
  /// Right facts over right facts and wrong statements. 0 where nothing is stated, so that a policy
  /// that says nothing does not look truthful.
  double accuracy = 0;
  bool coherent = false;   ///< There is a sentence, and every sentence could be read.
  bool length_ok = false;  ///< Within the bounds of length in words.
  bool ended = false;      ///< The end token was written.
  int words = 0;
  int right = 0;     ///< Facts stated and right, each counted once.
  int wrong = 0;     ///< Statements that differ from the post.
  int repeats = 0;   ///< Statements of a fact that was stated before, right or wrong.
  int unparsed = 0;  ///< Sentences that are not of the grammar.
  bool states_question = false;
};

/// overall = max(-1, [points of right facts (the question 2, others 1) - wrong - 2*repeats
/// - 4*unparsed - 4*(length out of bounds, or not ended)] / 8).
/// `facts` are those of the post (`read_post`), `text` is the response without the end token,
/// `ended` says whether the end token followed it.
[[nodiscard]] GoldScore gold_score(const Facts& facts, std::string_view text, bool ended);

}  // namespace precis
