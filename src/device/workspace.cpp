#include "device/workspace.hpp"

#include <algorithm>

#include "kernels/out_of_memory.hpp"

namespace precis {
namespace {

/// Products are planned by the alignment of their operands, up to this: so all have it, wherever in
/// the workspace they lie.
constexpr std::int64_t alignment = 256;
constexpr std::int64_t smallest_chunk = std::int64_t{1} << 20;
/// A workspace grows by at least this part of itself: few chunks on the way to the size that is
/// needed, and little beyond it.
constexpr std::int64_t growth = 8;

std::int64_t rounded(std::int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }
std::int64_t size_of(const Tensor& chunk) { return chunk.view().size_bytes(); }

Tensor allocate_chunk(const Device& device, std::int64_t bytes) {
  return device.allocate(Shape{bytes}, DType::u8, MemoryUse::activations);
}

}  // namespace

View Workspace::take(const Shape& shape, DType dtype) {
  const std::int64_t needed = shape.numel() * precis::size_of(dtype);
  const std::int64_t bytes = rounded(needed);
  while (current_ < chunks_.size() && used_ + needed > size_of(chunks_[current_])) {
    ++current_;
    used_ = 0;
  }
  if (current_ == chunks_.size()) {
    try {
      chunks_.push_back(
          allocate_chunk(*device_, std::max({bytes, smallest_chunk, this->bytes() / growth})));
    } catch (const OutOfMemory&) {
      // There may be room for less, else the message is about what was asked for.
      chunks_.push_back(device_->allocate(shape, dtype, MemoryUse::activations));
    }
  }
  std::byte* memory = chunks_[current_].view().bytes() + used_;
  used_ += bytes;
  return {memory, dtype, shape};
}

View Workspace::zeros(const Shape& shape, DType dtype) {
  View out = take(shape, dtype);
  device_->backend().fill(device_->queue(), out, 0.0);
  return out;
}

void Workspace::reset() {
  current_ = 0;
  used_ = 0;
  if (chunks_.size() > 1) {
    const std::int64_t total = bytes();
    chunks_.clear();
    chunks_.push_back(allocate_chunk(*device_, total));
  }
}

std::int64_t Workspace::bytes() const {
  std::int64_t total = 0;
  for (const Tensor& chunk : chunks_) {
    total += size_of(chunk);
  }
  return total;
}

}  // namespace precis
