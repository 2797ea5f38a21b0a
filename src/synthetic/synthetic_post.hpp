// Posts of the embedded data set: written from facts, and read back into them.
#pragma once

#include <optional>
#include <string_view>

#include "base/random.hpp"
#include "data/tldr.hpp"
#include "synthetic/grammar.hpp"

namespace precis {

/// How posts are written: sentences that carry no fact stand among those that do.
struct PostOptions {
  int least_distractors = 1;
  int most_distractors = 4;
  /// The share of distractors that name a second person, object or place.
  double confuse = 0.2;
};

/// The number of different distractors that do not confuse, and of kinds of those that do.
[[nodiscard]] int plain_distractor_count();
[[nodiscard]] int confusing_distractor_count();

/// A post that tells complete facts: event, place and time in one or two sentences, a sentence each
/// for age, feeling and question, and distractors, in varied order and wording. No distractor
/// occurs twice, and their words differ from the facts'. Throws UsageError for options out of
/// range.
[[nodiscard]] Post write_post(const Facts& facts, const PostOptions& options, RandomStream& random);

/// The facts that a post's body tells; nothing if a sentence is not of this grammar, a fact is
/// missing, or two sentences contradict each other.
[[nodiscard]] std::optional<Facts> read_post(std::string_view body);

}  // namespace precis
