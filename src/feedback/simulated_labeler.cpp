#include "feedback/simulated_labeler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "base/random.hpp"
#include "feedback/summary.hpp"

namespace precis {
namespace {

// The probability that a summary better by `margin` is preferred.
double preference(double margin, double temperature) {
  if (temperature == 0) {
    return margin > 0 ? 1 : margin < 0 ? 0 : 0.5;
  }
  return 1 / (1 + std::exp(-margin / temperature));
}

std::string with_space(const std::string& text) {
  return text.starts_with(' ') ? text : " " + text;
}

Candidate candidate_of(const SampledSummary& sample, const GoldRow& row,
                       const std::string& policy) {
  return {.text = with_space(sample.response),
          .policy = policy,
          .note = sample.ended ? "" : "length",
          .gold = gold_score(row, sample)};
}

Candidate candidate_of(const std::string& summary, const GoldRow& row, const std::string& policy) {
  return {.text = with_space(summary),
          .policy = policy,
          .note = "",
          .gold = gold_score(row.facts, summary, true)};
}

std::array<Candidate, 2> draw_contrast(const GoldRow& row, ReferenceFaults omissions,
                                       RandomStream& random) {
  omissions.invent = 0;
  const Facts right = with_faults(row.facts, omissions, random);
  std::vector<Fact> stated;
  std::copy_if(all_facts.begin(), all_facts.end(), std::back_inserter(stated),
               [&](Fact fact) { return states(right, fact); });
  const Fact changed = stated[random.below(static_cast<std::uint32_t>(stated.size()))];
  const Facts wrong = with_another(right, changed, random);
  RandomStream same_wording = random;
  auto good = candidate_of(write_summary(right, random), row, "contrast");
  auto bad = candidate_of(write_summary(wrong, same_wording), row, "contrast");
  bad.note = fmt::format("invents {}", name_of(changed));
  return {std::move(good), std::move(bad)};
}

// The samples of a row, of all policies.
std::vector<std::pair<const SampledSummary*, const std::string*>> samples_of(
    const std::vector<PolicySamples>& policies, std::size_t row) {
  std::vector<std::pair<const SampledSummary*, const std::string*>> samples;
  for (const auto& policy : policies) {
    for (const auto& sample : policy.samples[row]) {
      samples.emplace_back(&sample, &policy.policy);
    }
  }
  return samples;
}

// By the number of the pair alone: skipping a pair does not change the shares.
PairKind kind_of(std::uint64_t pair, const PairOptions& options, std::uint64_t seed) {
  // The 48-bit numbers from 2^47 are never those of attempts.
  RandomStream random(seed, Purpose::pairing, (std::uint64_t{1} << 47) + pair);
  if (random.chance(options.contrast_share)) {
    return PairKind::contrast;
  }
  return random.chance(options.reference_share) ? PairKind::reference : PairKind::samples;
}

CandidatePair draw_pair(PairKind kind, const std::vector<GoldRow>& rows,
                        const std::vector<PolicySamples>& policies, const PairOptions& options,
                        std::size_t row, RandomStream& random) {
  CandidatePair pair;
  pair.row = row;
  pair.kind = kind;
  if (kind == PairKind::contrast) {
    pair.candidates = draw_contrast(rows[row], options.contrast_omissions, random);
  } else {
    const auto samples = samples_of(policies, row);
    const auto count = static_cast<std::uint32_t>(samples.size());
    const auto first = random.below(count);
    pair.candidates[0] = candidate_of(*samples[first].first, rows[row], *samples[first].second);
    if (kind == PairKind::reference) {
      pair.candidates[1] = candidate_of(rows[row].row.summary, rows[row], "ref");
    } else {
      const auto second = (first + 1 + random.below(count - 1)) % count;
      pair.candidates[1] = candidate_of(*samples[second].first, rows[row], *samples[second].second);
    }
  }
  if (random.chance(0.5)) {
    std::swap(pair.candidates[0], pair.candidates[1]);
  }
  return pair;
}

void check(const std::vector<PolicySamples>& policies, const PairOptions& options) {
  for (const double share :
       {options.contrast_share, options.reference_share, options.valid_share}) {
    if (!(share >= 0 && share <= 1)) {
      fail_usage("A share of pairs or posts is {}; it must be between 0 and 1.", share);
    }
  }
  const auto samples = policies.empty() ? 0 : samples_of(policies, 0).size();
  if (samples == 0 && options.contrast_share < 1) {
    fail_usage("Comparisons of samples need samples: give --samples, or --label.contrast_share 1.");
  }
  if (samples == 1 && options.contrast_share < 1 && options.reference_share < 1) {
    fail_usage(
        "There is one sample of each post, so that no two can be compared: sample with "
        "--sampling.n 2 or more, give a second file, or set --label.reference_share 1.");
  }
}

}  // namespace

Judgement judge(const std::array<double, 2>& gold, const LabelerOptions& options,
                std::uint64_t seed, std::uint64_t pair) {
  const auto block =
      random_block(seed, Purpose::labeler, name_number(options.worker),
                   static_cast<std::uint32_t>(pair >> 32), static_cast<std::uint32_t>(pair));
  const bool judged = uniform_from(block[0], block[1]) < options.reliability;
  const double second = preference(gold[1] - gold[0], options.temperature);
  Judgement judgement;
  judgement.choice = uniform_from(block[2], block[3]) < (judged ? second : 0.5) ? 1 : 0;
  const double sureness = judgement.choice == 1 ? second : 1 - second;
  const int strength = std::clamp(1 + static_cast<int>(std::floor((sureness - 0.5) * 8)), 1, 4);
  judgement.confidence = judgement.choice == 1 ? 5 + strength : 5 - strength;
  return judgement;
}

CandidatePairs draw_pairs(const std::vector<GoldRow>& rows,
                          const std::vector<PolicySamples>& policies, const PairOptions& options,
                          std::uint64_t seed) {
  check(policies, options);
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto order = permutation(count, seed, Purpose::pairing, name_number("posts"));
  const auto by_split = permutation(count, seed, Purpose::pairing, name_number("split"));
  std::vector<bool> valid(rows.size());
  const auto valid_rows = std::llround(options.valid_share * static_cast<double>(count));
  for (std::int64_t i = 0; i < valid_rows; ++i) {
    valid[static_cast<std::size_t>(by_split[static_cast<std::size_t>(i)])] = true;
  }

  const std::int64_t wanted = options.pairs > 0 ? options.pairs : count;
  // A policy that mostly says the same has few pairs of different texts; this bounds the search.
  const std::int64_t attempts = 20 * std::max(wanted, count);
  CandidatePairs result;
  std::set<std::tuple<std::size_t, std::string, std::string>> seen;
  for (std::int64_t attempt = 0;
       attempt < attempts && static_cast<std::int64_t>(result.pairs.size()) < wanted; ++attempt) {
    const auto row = static_cast<std::size_t>(order[static_cast<std::size_t>(attempt % count)]);
    RandomStream random(seed, Purpose::pairing, static_cast<std::uint64_t>(attempt));
    const PairKind kind = kind_of(result.pairs.size(), options, seed);
    CandidatePair pair = draw_pair(kind, rows, policies, options, row, random);
    pair.valid = valid[row];
    const auto& [a, b] = pair.candidates;
    if (a.text == b.text) {
      ++result.identical;
    } else if (!seen.emplace(row, std::min(a.text, b.text), std::max(a.text, b.text)).second) {
      ++result.repeated;
    } else {
      result.pairs.push_back(std::move(pair));
    }
  }
  return result;
}

nlohmann::ordered_json comparison_json(const GoldRow& row, const CandidatePair& pair,
                                       const Judgement& judgement, const std::string& worker,
                                       const std::string& batch) {
  const auto summary = [](const Candidate& candidate) {
    nlohmann::ordered_json json = {{"text", candidate.text}, {"policy", candidate.policy}};
    json["note"] = nullptr;
    if (!candidate.note.empty()) {
      json["note"] = candidate.note;
    }
    return json;
  };
  const SummaryRow& source = row.row;
  nlohmann::ordered_json json;
  json["info"] = {{"id", row.id},
                  {"post", source.post.body},
                  {"title", source.post.title},
                  {"subreddit", source.post.subreddit}};
  json["summaries"] =
      nlohmann::ordered_json::array({summary(pair.candidates[0]), summary(pair.candidates[1])});
  json["choice"] = judgement.choice;
  json["worker"] = worker;
  json["batch"] = batch;
  json["split"] = pair.valid ? "valid1" : "train";
  json["extra"] = {{"confidence", judgement.confidence}};
  return json;
}

}  // namespace precis
