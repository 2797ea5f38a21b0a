// What the counting backends keep for a queue: memory that is only counted, scratch memory, and the
// lists that sizes depend on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "kernels/queue.hpp"
#include "kernels/scratch.hpp"

namespace precis::counting {

/// Gives addresses that nobody reads or writes, each once.
class CountedMemory final : public Memory {
 public:
  CountedMemory() : Memory("counted memory") {}
  [[nodiscard]] Space space() const override;

 private:
  [[nodiscard]] void* take(std::int64_t bytes) override;
  void give_back(void* /*memory*/) noexcept override {}

  std::uintptr_t next_ = 1U << 20;
};

struct QueueState {
  explicit QueueState(const std::shared_ptr<Memory>& memory) : scratch(memory), products(memory) {}

  Scratch scratch;
  Scratch products;  ///< Of products, where the backend keeps one for them.
  /// Lists of i32 that the host has put on the device, by their place: offsets of sequences.
  std::map<const std::byte*, std::vector<std::int32_t>> lists;
};

/// The shape (out,in) of a weight.
struct CountedPack {
  std::int64_t out = 0;
  std::int64_t in = 0;
  Tensor memory;
};

[[nodiscard]] Queue make_queue();
void copy_to_device(Queue& queue, View out, ConstView host);
/// The lengths of a packed batch's sequences.
[[nodiscard]] std::vector<std::int64_t> lengths_of(Queue& queue, ConstView offsets);
/// A pack of `weight`, or the former one, that holds `shape` elements in `precision`.
[[nodiscard]] Pack counted_pack(Queue& queue, ConstView weight, const Shape& shape, DType precision,
                                Pack former);

}  // namespace precis::counting
