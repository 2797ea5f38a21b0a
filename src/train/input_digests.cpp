#include "train/input_digests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "io/compare.hpp"
#include "io/digest.hpp"
#include "parallel/agreement.hpp"

namespace precis {
namespace {

std::string hexadecimal(std::uint64_t digest) { return fmt::format("{:016x}", digest); }

}  // namespace

std::string digest_of(const std::vector<Example>& examples) {
  RowDigest digest;
  for (const Example& example : examples) {
    digest.add(example.query());
    digest.add(example.response());
  }
  return digest.text();
}

std::string digest_of_labels(const std::vector<Example>& examples) {
  RowDigest labels;
  for (const Example& example : examples) {
    labels.add(example.row.id());
  }
  return labels.text();
}

std::string digest_of_labels(const std::vector<Pair>& pairs) {
  RowDigest labels;
  for (const Pair& pair : pairs) {
    const Comparison& comparison = pair.comparison;
    for (const std::string* text :
         {&comparison.post.id, &comparison.post.title, &comparison.post.body,
          &comparison.summaries[0], &comparison.summaries[1], &comparison.policies[0],
          &comparison.policies[1]}) {
      labels.add(*text);
    }
  }
  return labels.text();
}

std::string digest_of(const std::vector<PromptRow>& rows) {
  RowDigest digest_of_rows;
  for (const PromptRow& row : rows) {
    digest_of_rows.add(row.id);
    digest_of_rows.add(row.prompt_ids);
    digest_of_rows.add(row.response_ids);
  }
  return digest_of_rows.text();
}

std::string digest_of(const std::vector<Pair>& pairs) {
  RowDigest digest;
  for (const Pair& pair : pairs) {
    digest.add(pair.query);
    digest.add(pair.chosen());
    digest.add(pair.rejected());
  }
  return digest.text();
}

std::string digest_of_weights(const std::vector<Pair>& pairs) {
  if (std::all_of(pairs.begin(), pairs.end(), [](const Pair& pair) { return pair.weight == 1; })) {
    return "";
  }
  RowDigest digest;
  for (const Pair& pair : pairs) {
    digest.add(std::bit_cast<std::int64_t>(pair.weight));
  }
  return digest.text();
}

std::string digest_of_model(const std::filesystem::path& file) {
  return hexadecimal(content_digest(StateReader(file)));
}

std::string digest_of_text(std::string_view text) { return hexadecimal(digest(text)); }

void agree_on_inputs(RankGroup& ranks, const std::map<std::string, std::string>& digests) {
  std::vector<Fact> facts;
  for (const auto& [key, digest] : digests) {
    facts.push_back({"the digest of " + key, digest});
  }
  agree_on(ranks, facts,
           "Every rank must read the same: give files on a file system that all nodes share, or "
           "copy them to each node anew.");
}

}  // namespace precis
