// The embedded data set: posts with reference summaries, each a function of (seed, index).
#pragma once

#include <cstdint>
#include <string>

#include "base/random.hpp"
#include "synthetic/grammar.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {

/// How often reference summaries leave a fact out, and state a wrong one. Person and event are
/// always stated. The question's rate, above one half, is the systematic fault: imitation learns to
/// leave it out even at temperature 0.
struct ReferenceFaults {
  double omit_age = 0.2;
  double omit_place = 0.25;
  double omit_time = 0.25;
  double omit_feeling = 0.25;
  double omit_question = 0.6;
  double invent = 0.06;  ///< A stated fact is replaced by another one.
};

struct SynthesisOptions {
  PostOptions post = {};
  ReferenceFaults faults = {};
};

/// What every row's id begins with.
inline constexpr const char* synthetic_id_prefix = "synthetic-";

/// A TL;DR row with the facts that its post tells.
struct SyntheticRow {
  std::string id;  ///< "synthetic-SEED-INDEX"
  std::string subreddit;
  std::string title;
  std::string post;
  std::string summary;  ///< The reference summary, with its faults.
  Facts facts;
};

/// The facts of post `index` (below `fact_space()`). For one seed they are a permutation of all
/// complete facts: no two posts tell the same, so that no post of one split is in another.
[[nodiscard]] Facts synthetic_facts(std::uint64_t seed, std::uint64_t index);

/// What a reference summary states of these facts.
[[nodiscard]] Facts with_faults(const Facts& facts, const ReferenceFaults& faults,
                                RandomStream& random);

/// Row `index`. Throws UsageError for options out of range, Error for an index beyond the fact
/// space.
[[nodiscard]] SyntheticRow synthesize_row(std::uint64_t seed, std::uint64_t index,
                                          const SynthesisOptions& options);

enum class Split { train, valid, test };
/// Of every 20 rows the tenth is for validation and the last for testing: a row's split does not
/// depend on how many rows there are.
[[nodiscard]] Split synthetic_split(std::uint64_t index);

}  // namespace precis
