#include "parallel/tree_sum.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace precis {
namespace {

/// What is summed at a time, in elements: scratch memory is half of it.
constexpr std::int64_t block_elements = std::int64_t{4} << 20;
constexpr int tag = 1;

struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  [[nodiscard]] std::pair<Range, Range> halves() const {
    const std::int64_t middle = begin + (end - begin) / 2;
    return {{begin, middle}, {middle, end}};
  }
};

class TreeSum {
 public:
  TreeSum(Device& device, Communicator& ranks, View block, View scratch)
      : device_(device), ranks_(ranks), block_(block), scratch_(scratch) {}

  void run() {
    // Level by level this rank keeps the half that its bit says, with the sum of two subtrees.
    std::vector<std::pair<Range, Range>> levels;  // kept, and given away
    Range mine{0, block_.numel()};
    for (int distance = 1; distance < ranks_.size(); distance *= 2) {
      const auto [low, high] = mine.halves();
      const bool keeps_low = (ranks_.rank() & distance) == 0;
      levels.emplace_back(keeps_low ? low : high, keeps_low ? high : low);
      const auto& [kept, given] = levels.back();
      const View received = scratch_.rows(0, kept.end - kept.begin);
      exchange(distance, view(given), received);
      device_.backend().add(device_.queue(), view(kept), received);
      mine = kept;
    }
    // And back: each gets the other half of the level above.
    for (int distance = ranks_.size() / 2; distance > 0; distance /= 2) {
      const auto& [kept, given] = levels.back();
      exchange(distance, view(kept), view(given));
      levels.pop_back();
    }
  }

 private:
  [[nodiscard]] View view(const Range& range) { return block_.rows(range.begin, range.end); }
  void exchange(int distance, ConstView sent, View received) {
    const int partner = ranks_.rank() ^ distance;
    auto coming = ranks_.start_receive(device_.queue(), received, partner, tag);
    ranks_.start_send(device_.queue(), sent, partner, tag).wait();
    coming.wait();
  }

  Device& device_;
  Communicator& ranks_;
  View block_, scratch_;
};

}  // namespace

void sum_in_tree(Device& device, Communicator& ranks, View values) {
  if (ranks.size() == 1) {
    return;
  }
  if (!std::has_single_bit(static_cast<unsigned>(ranks.size()))) {
    ranks.all_reduce(device.queue(), values, Reduction::sum);
    return;
  }
  const std::int64_t block = std::min(block_elements, values.numel());
  Tensor scratch = device.allocate({(block + 1) / 2}, values.dtype());
  for (std::int64_t begin = 0; begin < values.numel(); begin += block) {
    const View part = values.rows(begin, std::min(begin + block, values.numel()));
    TreeSum(device, ranks, part, scratch.view()).run();
  }
}

}  // namespace precis
