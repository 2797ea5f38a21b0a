// Pairs of summaries to be compared, drawn from posts and from what several policies wrote for
// them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/comparisons.hpp"
#include "feedback/samples.hpp"
#include "synthetic/synthesize.hpp"

namespace precis {

/// The policy named for a row's own summary, and for both summaries of a contrast pair.
inline constexpr const char* reference_policy = "ref";
inline constexpr const char* contrast_policy = "contrast";

/// What a pair is made of.
enum class PairKind {
  samples,    ///< two samples of a post
  reference,  ///< a sample and the reference summary
  contrast    ///< a summary without a wrong fact, and the same with one fact replaced
};
/// By the names of its policies.
[[nodiscard]] PairKind kind_of(const Comparison& pair);

/// An entry of a mix: pairs of these two policies, and how many beside the other entries.
struct MixEntry {
  std::array<std::string, 2> policies;
  double weight = 0;
};
/// Reads entries such as "ref/sft=1" and "sft/sft=2". Throws UsageError naming the entry.
[[nodiscard]] std::vector<MixEntry> parse_mix(const std::vector<std::string>& entries);

struct PairOptions {
  std::int64_t pairs = 0;                   ///< 0: one a row
  double contrast_share = 0;                ///< of all pairs
  double reference_share = 1.0 / 3;         ///< of the other pairs, where there is no mix
  std::vector<MixEntry> mix = {};           ///< which policies the other pairs are of
  double valid_share = 0.1;                 ///< of the posts: all their pairs are of split "valid1"
  ReferenceFaults contrast_omissions = {};  ///< what summaries of contrast pairs leave out
};

/// Whether pairs with the rows' own summaries are asked for.
[[nodiscard]] bool needs_references(const PairOptions& options);

/// The samples of one policy, one list per row. Several of one name count as one policy.
struct PolicySamples {
  std::string policy;
  std::vector<std::vector<SampledSummary>> samples;
};

/// Pairs nobody has judged: without choice, worker, batch and confidence. A summary's note is
/// "length" if the sample did not write its end token, which the text alone does not show, and
/// "invents FACT" for the worse one of a contrast pair. The two are in random order.
struct DrawnPairs {
  std::vector<Comparison> pairs;
  std::int64_t identical = 0;  ///< skipped: both texts were the same
  std::int64_t repeated = 0;   ///< skipped: the post has this pair already
  std::string ran_out;         ///< of what there were too few: "ppo and sft"; empty: of nothing
};

/// Draws pairs from posts in shuffled order, each post once before any comes again. A function of
/// (seed, rows, samples, options). Fewer pairs than asked for come back when the samples run out of
/// new ones. Throws UsageError for shares and policies that the samples cannot fill, Error for a
/// contrast pair of a post that is not of the embedded grammar.
[[nodiscard]] DrawnPairs draw_pairs(const std::vector<SummaryRow>& rows,
                                    const std::vector<PolicySamples>& policies,
                                    const PairOptions& options, std::uint64_t seed);

/// Names the batch of each pair: `name`, or with several batches "NAME-1", "NAME-2", ... for
/// consecutive parts of equal size, give or take one. `count` is from 1 to the number of pairs.
void name_batches(std::vector<Comparison>& pairs, const std::string& name, std::int64_t count);

}  // namespace precis
