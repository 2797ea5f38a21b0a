#include "rlhf/dealing.hpp"

#include <algorithm>
#include <numeric>

namespace precis {

std::vector<std::vector<std::int64_t>> deal(std::span<const std::int64_t> costs, int copies) {
  std::vector<std::int64_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::int64_t place) {
    return costs[static_cast<std::size_t>(place)];
  });
  std::vector<std::int64_t> sums(static_cast<std::size_t>(copies), 0);
  std::vector<std::vector<std::int64_t>> dealt(static_cast<std::size_t>(copies));
  for (const std::int64_t place : order) {
    const auto least = std::ranges::min_element(sums) - sums.begin();
    const auto copy = static_cast<std::size_t>(least);
    dealt[copy].push_back(place);
    sums[copy] += costs[static_cast<std::size_t>(place)];
  }
  for (std::vector<std::int64_t>& places : dealt) {
    std::ranges::sort(places);
  }
  return dealt;
}

}  // namespace precis
