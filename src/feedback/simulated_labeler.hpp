// Labelers made of the gold labeler and noise, and the comparisons that they are asked to make.
#pragma once

#include <nlohmann/json.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "feedback/gold_labeler.hpp"
#include "feedback/samples.hpp"
#include "feedback/synthesize.hpp"

namespace precis {

struct LabelerOptions {
  std::string worker;  ///< The name in the comparisons, part of what the noise depends on.
  double temperature =
      0.15;  ///< Of Bradley and Terry's model, on the scale of gold; 0: always gold.
  double reliability =
      1;  ///< Share of the comparisons that are judged; the others are coin tosses.
};

struct Judgement {
  int choice = 0;
  /// OpenAI's scale: 1 "surely the first" to 9 "surely the second"; 5 does not occur, as one of the
  /// two has to be chosen. By the margin of gold at the labeler's temperature.
  int confidence = 0;
};

/// Which of two summaries of these gold scores the labeler prefers: the second with probability
/// sigmoid((second - first) / temperature) (Bradley and Terry 1952). A function of (seed, worker,
/// pair).
[[nodiscard]] Judgement judge(const std::array<double, 2>& gold, const LabelerOptions& options,
                              std::uint64_t seed, std::uint64_t pair);

/// What a pair is made of.
enum class PairKind {
  samples,    ///< two samples of a post
  reference,  ///< a sample and the reference summary
  contrast    ///< a summary without a wrong fact, and the same with one fact replaced
};

struct PairOptions {
  std::int64_t pairs = 0;                   ///< 0: one a row
  double contrast_share = 0;                ///< of all pairs
  double reference_share = 1.0 / 3;         ///< of the other pairs
  double valid_share = 0.1;                 ///< of the posts: all their pairs are of split "valid1"
  ReferenceFaults contrast_omissions = {};  ///< what summaries of contrast pairs leave out
};

/// One of the two summaries shown.
struct Candidate {
  std::string text;    ///< begins with a space
  std::string policy;  ///< "sft", "ref", "contrast"
  /// "length": the sample did not write its end token, which gold counts against it, and which the
  /// text alone does not show. "invents FACT": of a contrast pair. Else empty (null in the file).
  std::string note;
  GoldScore gold;
};

struct CandidatePair {
  std::size_t row = 0;
  PairKind kind = PairKind::samples;
  bool valid = false;
  std::array<Candidate, 2> candidates;  ///< in random order
};

/// The samples of one policy, a list a row.
struct PolicySamples {
  std::string policy;
  std::vector<std::vector<SampledSummary>> samples;
};

struct CandidatePairs {
  std::vector<CandidatePair> pairs;
  std::int64_t identical = 0;  ///< skipped: both texts were the same
  std::int64_t repeated = 0;   ///< skipped: the post has this pair already
};

/// Draws pairs from posts in shuffled order, each post once before any comes again. A function of
/// (seed, rows, samples, options). Fewer pairs than asked for come back when the samples run out of
/// new ones. Throws UsageError for shares that the samples cannot fill.
[[nodiscard]] CandidatePairs draw_pairs(const std::vector<GoldRow>& rows,
                                        const std::vector<PolicySamples>& policies,
                                        const PairOptions& options, std::uint64_t seed);

/// A comparison in OpenAI's schema.
[[nodiscard]] nlohmann::ordered_json comparison_json(const GoldRow& row, const CandidatePair& pair,
                                                     const Judgement& judgement,
                                                     const std::string& worker,
                                                     const std::string& batch);

}  // namespace precis
