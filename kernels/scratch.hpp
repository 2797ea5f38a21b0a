// Scratch memory that a backend's kernels use again and again.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "kernels/tensor.hpp"

namespace precis {

/// Grows to the largest request and is used again by the next kernel of the queue: what an earlier
/// call returned is invalid after the next one.
class Scratch {
 public:
  explicit Scratch(std::shared_ptr<Memory> memory) : memory_(std::move(memory)) {}

  [[nodiscard]] std::byte* bytes(std::int64_t size) {
    constexpr std::int64_t smallest = 1 << 16;
    if (block_.empty() || size > block_.view().numel()) {
      block_ = {};
      block_ = Tensor(memory_, Shape{std::max(size, smallest)}, DType::u8, MemoryUse::scratch);
    }
    return block_.view().bytes();
  }
  template <class T>
  [[nodiscard]] T* of(std::int64_t count) {
    return reinterpret_cast<T*>(bytes(count * static_cast<std::int64_t>(sizeof(T))));
  }

 private:
  std::shared_ptr<Memory> memory_;
  Tensor block_;
};

}  // namespace precis
