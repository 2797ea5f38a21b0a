#include "model/decode_schedule.hpp"

#include <numeric>

namespace precis {

std::vector<int> decode_round(int stages) {
  std::vector<int> groups(static_cast<std::size_t>(stages));
  std::iota(groups.begin(), groups.end(), 0);
  return groups;
}

}  // namespace precis
