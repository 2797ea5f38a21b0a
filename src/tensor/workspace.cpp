#include "tensor/workspace.hpp"

#include <algorithm>

namespace precis {
namespace {

constexpr std::int64_t alignment = 64;
constexpr std::int64_t smallest_chunk = std::int64_t{1} << 20;

std::int64_t total_bytes(const std::vector<Tensor>& chunks) {
  std::int64_t total = 0;
  for (const Tensor& chunk : chunks) {
    total += chunk.view().numel();
  }
  return total;
}

}  // namespace

View Workspace::take(const Shape& shape, DType dtype) {
  const std::int64_t bytes =
      (shape.numel() * size_of(dtype) + alignment - 1) / alignment * alignment;
  while (current_ < chunks_.size() && used_ + bytes > chunks_[current_].view().numel()) {
    ++current_;
    used_ = 0;
  }
  if (current_ == chunks_.size()) {
    const std::int64_t size = std::max({bytes, smallest_chunk, total_bytes(chunks_) / 2});
    chunks_.push_back(device_->allocate(Shape{size}, DType::u8));
    peak_ = std::max(peak_, total_bytes(chunks_));
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
  if (chunks_.size() > 1) {
    const std::int64_t total = total_bytes(chunks_);
    device_->backend().synchronize(device_->queue());
    chunks_.clear();
    chunks_.push_back(device_->allocate(Shape{total}, DType::u8));
  }
  current_ = 0;
  used_ = 0;
}

}  // namespace precis
