// Rows of the embedded data set, and a policy made up for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "feedback/pairs.hpp"
#include "synthetic/summary.hpp"
#include "synthetic/synthesize.hpp"

namespace precis {

inline std::vector<SummaryRow> synthetic_rows(std::size_t count) {
  std::vector<SummaryRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    const SyntheticRow source = synthesize_row(4, i, {});
    rows[i].post = {
        .id = source.id, .subreddit = source.subreddit, .title = source.title, .body = source.post};
    rows[i].summary = source.summary;
  }
  return rows;
}

/// A policy that has learned the references' habits, faults included, and sometimes does not end.
/// Policies of other names write other summaries.
inline PolicySamples mediocre_policy(std::size_t rows, std::uint64_t each,
                                     const std::string& name = "sft") {
  PolicySamples policy{.policy = name, .samples = {}};
  for (std::size_t i = 0; i < rows; ++i) {
    auto& samples = policy.samples.emplace_back();
    for (std::uint64_t k = 0; k < each; ++k) {
      RandomStream random(name_number(name) + k, Purpose::testing, i);
      const Facts stated = with_faults(synthesize_row(4, i, {}).facts, {.invent = 0.1}, random);
      samples.push_back({.response = " " + write_summary(stated, random),
                         .ended = random.chance(0.95),
                         .index = static_cast<std::int64_t>(k)});
    }
  }
  return policy;
}

}  // namespace precis
