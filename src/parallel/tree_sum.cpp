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
  TreeSum(Device& device, Communicator& ranks, int first, int count, View block, View scratch)
      : device_(device),
        ranks_(ranks),
        first_(first),
        count_(count),
        mine_(ranks.rank() - first),
        block_(block),
        scratch_(scratch) {}

  void run() {
    // Level by level this rank keeps the half that its bit says, with the sum of two subtrees.
    std::vector<std::pair<Range, Range>> levels;  // kept, and given away
    Range mine{0, block_.numel()};
    for (int distance = 1; distance < count_; distance *= 2) {
      const auto [low, high] = mine.halves();
      const bool keeps_low = (mine_ & distance) == 0;
      levels.emplace_back(keeps_low ? low : high, keeps_low ? high : low);
      const auto& [kept, given] = levels.back();
      const View received = scratch_.rows(0, kept.end - kept.begin);
      exchange(distance, view(given), received);
      device_.backend().add(device_.queue(), view(kept), received);
      mine = kept;
    }
    // And back: each gets the other half of the level above.
    for (int distance = count_ / 2; distance > 0; distance /= 2) {
      const auto& [kept, given] = levels.back();
      exchange(distance, view(kept), view(given));
      levels.pop_back();
    }
  }

 private:
  [[nodiscard]] View view(const Range& range) { return block_.rows(range.begin, range.end); }
  void exchange(int distance, ConstView sent, View received) {
    const int partner = first_ + (mine_ ^ distance);
    auto coming = ranks_.start_receive(device_.queue(), received, partner, tag);
    ranks_.send(device_.queue(), sent, partner, tag);
    coming.wait();
  }

  Device& device_;
  Communicator& ranks_;
  int first_, count_;
  int mine_;  // this rank's number among them
  View block_, scratch_;
};

/// Sums blocks of `values`, with scratch memory of half a block.
template <class TakeScratch>
void sum_blocks(Device& device, Communicator& ranks, int first, int count, View values,
                const TakeScratch& take_scratch) {
  const std::int64_t block = std::min(block_elements, values.numel());
  const View scratch = take_scratch(Shape{(block + 1) / 2}, values.dtype());
  for (std::int64_t begin = 0; begin < values.numel(); begin += block) {
    const View part = values.rows(begin, std::min(begin + block, values.numel()));
    TreeSum(device, ranks, first, count, part, scratch).run();
  }
}

/// The sum over any number of ranks: those beyond a power of two first give theirs to as many of
/// the others, and get the sum in the end. The order depends on the ranks only, not on where in
/// `values` an element is: ranks that hold the same tensor in different buffers get the same bits.
template <class Take>
void sum_in_folded_tree(Device& device, Communicator& ranks, int first, int count, View values,
                        const Take& take) {
  Queue& queue = device.queue();
  const int folded = static_cast<int>(std::bit_floor(static_cast<unsigned>(count)));
  const int mine = ranks.rank() - first;
  if (mine >= folded) {
    ranks.send(queue, values, first + mine - folded, tag);
    ranks.receive(queue, values, first + mine - folded, tag);
    return;
  }
  const bool has_guest = mine + folded < count;
  const int guest = first + mine + folded;
  if (has_guest) {
    const View other = take(values.shape(), values.dtype());
    ranks.receive(queue, other, guest, tag);
    device.backend().add(queue, values, other);
  }
  sum_blocks(device, ranks, first, folded, values, take);
  if (has_guest) {
    ranks.send(queue, values, guest, tag);
  }
}

}  // namespace

void sum_in_tree(Device& device, Communicator& ranks, View values) {
  if (ranks.size() == 1) {
    return;
  }
  // What the ranks wait for each other is told from what moving the data takes.
  ranks.group().barrier();
  const WorkScope sum(ranks.work(),
                      {.kind = ranks.kind(), .name = "tree sum", .group = ranks.name()});
  std::vector<Tensor> taken;
  sum_in_folded_tree(device, ranks, 0, ranks.size(), values, [&](const Shape& shape, DType dtype) {
    return taken.emplace_back(device.allocate(shape, dtype)).view();
  });
}

void sum_in_tree(Device& device, Communicator& ranks, int first, int count, View values,
                 Workspace& workspace) {
  if (count == 1) {
    return;
  }
  const WorkScope sum(ranks.work(),
                      {.kind = ranks.kind(), .name = "tree sum", .group = ranks.name()});
  const WorkspaceScope scope(workspace);
  sum_in_folded_tree(device, ranks, first, count, values.reshaped({values.numel()}),
                     [&](const Shape& shape, DType dtype) { return workspace.take(shape, dtype); });
}

}  // namespace precis
