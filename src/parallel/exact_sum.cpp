#include "parallel/exact_sum.hpp"

#include <algorithm>

namespace precis {

void all_reduce(RankGroup& ranks, std::span<ExactSum> sums) {
  std::vector<std::int64_t> words;
  for (const ExactSum& sum : sums) {
    words.insert(words.end(), sum.words().begin(), sum.words().end());
  }
  ranks.all_reduce(words, Reduction::sum);
  std::ranges::copy(exact_sums(words), sums.begin());
}

}  // namespace precis
