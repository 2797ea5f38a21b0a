#include "commands/equal_summaries.hpp"

#include <algorithm>
#include <cstdint>

#include "base/text.hpp"

namespace precis {

void warn_of_equal_summaries(const Pairs& pairs, const std::string& where, Log& log) {
  const auto all = static_cast<std::int64_t>(pairs.pairs.size());
  const std::int64_t equal = std::ranges::count_if(
      pairs.pairs, [](const Pair& pair) { return pair.responses[0] == pair.responses[1]; });
  if (equal > 0 && equal == all) {
    log.warning(
        "{}: each of the {} has two equal summaries. Such comparisons teach a reward model "
        "nothing, and the accuracy of every reward model on them is 0.5.",
        where, counted(all, "pair"));
  } else if (equal > 0) {
    log.info("{}: {} of {} with two equal summaries, from which nothing is learned.", where,
             with_thousands(equal), counted(all, "pair"));
  }
}

}  // namespace precis
