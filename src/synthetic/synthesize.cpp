#include "synthetic/synthesize.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "synthetic/summary.hpp"

namespace precis {
namespace {

// A keyed permutation of the 32-bit numbers: a Feistel network of four rounds of Philox (Luby and
// Rackoff 1988). Positions 1 to 4 of episode 0 are no RandomStream's: it counts positions up from
// 0, one every 2^34 draws.
std::uint32_t permuted(std::uint64_t seed, std::uint32_t number) {
  std::uint32_t left = number >> 16;
  std::uint32_t right = number & 0xffffU;
  for (std::uint32_t round = 1; round <= 4; ++round) {
    const auto block = random_block(seed, Purpose::synthesis, 0, round, right);
    const std::uint32_t mixed = left ^ (block[0] & 0xffffU);
    left = right;
    right = mixed;
  }
  return left << 16 | right;
}

}  // namespace

Facts synthetic_facts(std::uint64_t seed, std::uint64_t index) {
  const std::uint64_t space = fact_space();
  require(space < std::uint64_t{1} << 32, "The fact space has {} facts, more than 32 bits hold.",
          space);
  require(index < space, "There is no post {}: a seed has {} posts.", index, space);
  // Walking the cycle until it is back inside the space keeps this a permutation of the space.
  std::uint32_t number = permuted(seed, static_cast<std::uint32_t>(index));
  while (number >= space) {
    number = permuted(seed, number);
  }
  return facts_from_number(number);
}

Facts with_faults(const Facts& facts, const ReferenceFaults& faults, RandomStream& random) {
  const auto omission = [&](Fact fact) {
    switch (fact) {
      case Fact::who:
      case Fact::event:
        return 0.0;
      case Fact::age:
        return faults.omit_age;
      case Fact::place:
        return faults.omit_place;
      case Fact::time:
        return faults.omit_time;
      case Fact::feeling:
        return faults.omit_feeling;
      case Fact::question:
        return faults.omit_question;
    }
    return 0.0;
  };
  Facts stated = facts;
  for (const Fact fact : all_facts) {
    if (random.chance(omission(fact))) {
      stated = without(stated, fact);
    } else if (random.chance(faults.invent)) {
      stated = with_another(stated, fact, random);
    }
  }
  return stated;
}

SyntheticRow synthesize_row(std::uint64_t seed, std::uint64_t index,
                            const SynthesisOptions& options) {
  SyntheticRow row;
  row.facts = synthetic_facts(seed, index);
  RandomStream random(seed, Purpose::synthesis, index);
  Post post = write_post(row.facts, options.post, random);
  const Facts stated = with_faults(row.facts, options.faults, random);
  row.summary = write_summary(stated, random);
  row.id = fmt::format("{}{}-{}", synthetic_id_prefix, seed, index);
  row.subreddit = std::move(post.subreddit);
  row.title = std::move(post.title);
  row.post = std::move(post.body);
  return row;
}

Split synthetic_split(std::uint64_t index) {
  switch (index % 20) {
    case 9:
      return Split::valid;
    case 19:
      return Split::test;
    default:
      return Split::train;
  }
}

}  // namespace precis
