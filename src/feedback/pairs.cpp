#include "feedback/pairs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <iterator>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "synthetic/summary.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

struct Candidate {
  std::string text;  // begins with a space
  std::string policy;
  std::string note;
};

std::string with_space(const std::string& text) {
  return text.starts_with(' ') ? text : " " + text;
}

std::array<Candidate, 2> draw_contrast(const SummaryRow& row, ReferenceFaults omissions,
                                       RandomStream& random) {
  const auto facts = read_post(row.post.body);
  require(facts.has_value(),
          "{}: the post is not one that `precis synthesize` writes, so no summary with one wrong "
          "fact can be made of it. Set --label.contrast_share 0.",
          row.where());
  omissions.invent = 0;
  const Facts right = with_faults(*facts, omissions, random);
  std::vector<Fact> stated;
  std::copy_if(all_facts.begin(), all_facts.end(), std::back_inserter(stated),
               [&](Fact fact) { return states(right, fact); });
  const Fact changed = stated[random.below(static_cast<std::uint32_t>(stated.size()))];
  const Facts wrong = with_another(right, changed, random);
  RandomStream same_wording = random;
  Candidate good{
      .text = with_space(write_summary(right, random)), .policy = contrast_policy, .note = ""};
  Candidate bad{.text = with_space(write_summary(wrong, same_wording)),
                .policy = contrast_policy,
                .note = fmt::format("invents {}", name_of(changed))};
  return {std::move(good), std::move(bad)};
}

// The two sides of a pair; `any` stands for the samples of all policies.
struct Sides {
  PairKind kind = PairKind::samples;
  std::string first;
  std::string second;  // not used where the other side is the reference
};
constexpr const char* any = "";

Sides sides_of(const MixEntry& entry) {
  const auto& [a, b] = entry.policies;
  if (a == reference_policy || b == reference_policy) {
    return {PairKind::reference, a == reference_policy ? b : a, reference_policy};
  }
  return {PairKind::samples, a, b};
}

// By the number of the pair alone: skipping a pair does not change the shares.
Sides sides_of_pair(std::uint64_t pair, const PairOptions& options, std::uint64_t seed) {
  // The 48-bit numbers from 2^47 are never those of attempts.
  RandomStream random(seed, Purpose::pairing, (std::uint64_t{1} << 47) + pair);
  if (random.chance(options.contrast_share)) {
    return {PairKind::contrast, any, any};
  }
  if (options.mix.empty()) {
    return random.chance(options.reference_share) ? Sides{PairKind::reference, any, any}
                                                  : Sides{PairKind::samples, any, any};
  }
  double total = 0;
  for (const MixEntry& entry : options.mix) {
    total += entry.weight;
  }
  double place = random.uniform() * total;
  const auto* chosen = &options.mix.front();
  for (const MixEntry& entry : options.mix) {
    if (entry.weight > 0) {
      chosen = &entry;
      if (place < entry.weight) {
        break;
      }
      place -= entry.weight;
    }
  }
  return sides_of(*chosen);
}

std::string description(const Sides& sides) {
  const auto side = [](const std::string& name) {
    return name == any ? std::string("any sample") : name;
  };
  if (sides.kind == PairKind::contrast) {
    return "one wrong fact";
  }
  return fmt::format("{} and {}", side(sides.first),
                     sides.kind == PairKind::reference ? reference_policy : side(sides.second));
}

std::vector<std::pair<const SampledSummary*, const std::string*>> samples_of(
    const std::vector<PolicySamples>& policies, const std::string& name, std::size_t row) {
  std::vector<std::pair<const SampledSummary*, const std::string*>> samples;
  for (const auto& policy : policies) {
    if (name == any || name == policy.policy) {
      for (const auto& sample : policy.samples[row]) {
        samples.emplace_back(&sample, &policy.policy);
      }
    }
  }
  return samples;
}

Candidate candidate_of(const std::pair<const SampledSummary*, const std::string*>& sample) {
  return {.text = with_space(sample.first->response),
          .policy = *sample.second,
          .note = sample.first->ended ? "" : "length"};
}

std::array<Candidate, 2> draw_sides(const Sides& sides, const SummaryRow& row, std::size_t place,
                                    const std::vector<PolicySamples>& policies,
                                    RandomStream& random) {
  const auto firsts = samples_of(policies, sides.first, place);
  const auto count = static_cast<std::uint32_t>(firsts.size());
  const auto first = random.below(count);
  if (sides.kind == PairKind::reference) {
    return {candidate_of(firsts[first]),
            Candidate{.text = with_space(row.summary), .policy = reference_policy, .note = ""}};
  }
  if (sides.first == sides.second) {
    const auto second = (first + 1 + random.below(count - 1)) % count;
    return {candidate_of(firsts[first]), candidate_of(firsts[second])};
  }
  const auto seconds = samples_of(policies, sides.second, place);
  const auto second = random.below(static_cast<std::uint32_t>(seconds.size()));
  return {candidate_of(firsts[first]), candidate_of(seconds[second])};
}

Comparison pair_of(const SummaryRow& row, std::array<Candidate, 2> candidates, bool valid) {
  Comparison pair;
  pair.post = row.post;
  pair.post.id = row.id();
  for (std::size_t k = 0; k < 2; ++k) {
    pair.summaries[k] = std::move(candidates[k].text);
    pair.policies[k] = std::move(candidates[k].policy);
    pair.notes[k] = std::move(candidates[k].note);
  }
  pair.split = valid ? "valid1" : "train";
  pair.file = row.file;
  pair.line = row.line;
  return pair;
}

void check_mix(const std::vector<PolicySamples>& policies, const std::vector<MixEntry>& mix) {
  std::set<std::string> known = {reference_policy};
  for (const PolicySamples& policy : policies) {
    known.insert(policy.policy);
  }
  for (const MixEntry& entry : mix) {
    for (const std::string& name : entry.policies) {
      if (!known.contains(name)) {
        fail_usage(
            "label.mix names the policy {}, but the known ones are {}: {} is the row's own "
            "summary, the others are named by label.policies, one a file of samples.",
            name, joined(std::vector<std::string>(known.begin(), known.end()), ", "),
            reference_policy);
      }
    }
    const Sides sides = sides_of(entry);
    if (sides.first == sides.second && entry.weight > 0 &&
        samples_of(policies, sides.first, 0).size() < 2) {
      fail_usage(
          "label.mix has {}/{}, but there is one sample of {} of each post: sample with "
          "--sampling.n 2 or more.",
          sides.first, sides.second, sides.first);
    }
  }
}

void check(const std::vector<PolicySamples>& policies, const PairOptions& options) {
  for (const double share :
       {options.contrast_share, options.reference_share, options.valid_share}) {
    if (!(share >= 0 && share <= 1)) {
      fail_usage("A share of pairs or posts is {}; it must be between 0 and 1.", share);
    }
  }
  for (const PolicySamples& policy : policies) {
    if (policy.policy == reference_policy || policy.policy == contrast_policy) {
      fail_usage(
          "A file of samples is named {} by label.policies, which is the name of {}. Give "
          "it another one.",
          policy.policy,
          policy.policy == reference_policy ? "the rows' own summaries"
                                            : "summaries made with one wrong fact");
    }
  }
  const auto samples = policies.empty() ? 0 : samples_of(policies, any, 0).size();
  if (samples == 0 && options.contrast_share < 1) {
    fail_usage("Comparisons of samples need samples: give --samples, or --label.contrast_share 1.");
  }
  check_mix(policies, options.mix);
  if (options.mix.empty() && samples == 1 && options.contrast_share < 1 &&
      options.reference_share < 1) {
    fail_usage(
        "There is one sample of each post, so that no two can be compared: sample with "
        "--sampling.n 2 or more, give a second file, or set --label.reference_share 1.");
  }
}

MixEntry parse_entry(const std::string& text) {
  const auto expected = [&text](bool condition) {
    if (!condition) {
      fail_usage(
          "label.mix has the entry '{}'; expected two policies and a weight of at least 0, "
          "such as ref/sft=1 or sft/sft=2.",
          text);
    }
  };
  const auto slash = text.find('/');
  const auto equals = text.find('=');
  expected(slash != std::string::npos && equals != std::string::npos && slash < equals);
  const std::string_view all = text;
  MixEntry entry;
  entry.policies = {std::string(trimmed(all.substr(0, slash))),
                    std::string(trimmed(all.substr(slash + 1, equals - slash - 1)))};
  const auto weight = trimmed(all.substr(equals + 1));
  const auto [stop, error] =
      std::from_chars(weight.data(), weight.data() + weight.size(), entry.weight);
  expected(error == std::errc{} && stop == weight.data() + weight.size() &&
           std::isfinite(entry.weight) && entry.weight >= 0);
  expected(!entry.policies[0].empty() && !entry.policies[1].empty());
  if (entry.policies[0] == reference_policy && entry.policies[1] == reference_policy) {
    fail_usage("label.mix has the entry '{}', but a post has only one summary of its own.", text);
  }
  return entry;
}

}  // namespace

PairKind kind_of(const Comparison& pair) {
  const auto& [a, b] = pair.policies;
  if (a == contrast_policy && b == contrast_policy) {
    return PairKind::contrast;
  }
  return a == reference_policy || b == reference_policy ? PairKind::reference : PairKind::samples;
}

std::vector<MixEntry> parse_mix(const std::vector<std::string>& entries) {
  std::vector<MixEntry> mix;
  std::set<std::set<std::string>> seen;
  double total = 0;
  for (const std::string& text : entries) {
    MixEntry entry = parse_entry(text);
    if (!seen.emplace(entry.policies.begin(), entry.policies.end()).second) {
      fail_usage("label.mix has pairs of {} and {} twice; give one weight.", entry.policies[0],
                 entry.policies[1]);
    }
    total += entry.weight;
    mix.push_back(std::move(entry));
  }
  if (!mix.empty() && total <= 0) {
    fail_usage("All weights of label.mix are 0; at least one must be positive.");
  }
  return mix;
}

bool needs_references(const PairOptions& options) {
  if (options.contrast_share >= 1) {
    return false;
  }
  if (options.mix.empty()) {
    return options.reference_share > 0;
  }
  return std::any_of(options.mix.begin(), options.mix.end(), [](const MixEntry& entry) {
    return entry.weight > 0 && sides_of(entry).kind == PairKind::reference;
  });
}

DrawnPairs draw_pairs(const std::vector<SummaryRow>& rows,
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
  DrawnPairs result;
  std::set<std::tuple<std::size_t, std::string, std::string>> seen;
  for (std::int64_t attempt = 0;
       attempt < attempts && static_cast<std::int64_t>(result.pairs.size()) < wanted; ++attempt) {
    const auto row = static_cast<std::size_t>(order[static_cast<std::size_t>(attempt % count)]);
    RandomStream random(seed, Purpose::pairing, static_cast<std::uint64_t>(attempt));
    const Sides sides = sides_of_pair(result.pairs.size(), options, seed);
    auto candidates = sides.kind == PairKind::contrast
                          ? draw_contrast(rows[row], options.contrast_omissions, random)
                          : draw_sides(sides, rows[row], row, policies, random);
    if (random.chance(0.5)) {
      std::swap(candidates[0], candidates[1]);
    }
    const auto [a, b] = std::minmax({trimmed(candidates[0].text), trimmed(candidates[1].text)});
    if (a == b) {
      ++result.identical;
    } else if (!seen.emplace(row, a, b).second) {
      ++result.repeated;
    } else {
      result.pairs.push_back(pair_of(rows[row], std::move(candidates), valid[row]));
    }
  }
  if (static_cast<std::int64_t>(result.pairs.size()) < wanted) {
    result.ran_out = description(sides_of_pair(result.pairs.size(), options, seed));
  }
  return result;
}

void name_batches(std::vector<Comparison>& pairs, const std::string& name, std::int64_t count) {
  const auto size = static_cast<std::int64_t>(pairs.size());
  assert(count >= 1 && count <= std::max<std::int64_t>(size, 1));
  for (std::int64_t i = 0; i < size; ++i) {
    pairs[static_cast<std::size_t>(i)].batch =
        count == 1 ? name : fmt::format("{}-{}", name, i * count / size + 1);
  }
}

}  // namespace precis
