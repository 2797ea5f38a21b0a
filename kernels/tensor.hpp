// A tensor that owns its memory on a device.
#pragma once

#include <memory>
#include <utility>

#include "kernels/memory.hpp"
#include "kernels/view.hpp"

namespace precis {

/// An owning, move-only block of device memory with a dtype and a shape. Not initialised.
class Tensor {
 public:
  Tensor() = default;
  /// Throws OutOfMemory.
  Tensor(std::shared_ptr<Memory> memory, const Shape& shape, DType dtype, MemoryUse use)
      : memory_(std::move(memory)),
        view_(memory_->allocate(shape, dtype, use), dtype, shape),
        use_(use) {}
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  Tensor(Tensor&& other) noexcept
      : memory_(std::move(other.memory_)),
        view_(std::exchange(other.view_, {})),
        use_(other.use_) {}
  Tensor& operator=(Tensor&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(view_, other.view_);
    std::swap(use_, other.use_);
    return *this;
  }
  ~Tensor() {
    if (memory_ != nullptr) {
      memory_->deallocate(view_.bytes(), view_.size_bytes(), use_);
    }
  }

  [[nodiscard]] View view() noexcept { return view_; }
  [[nodiscard]] ConstView view() const noexcept { return view_; }
  [[nodiscard]] const Shape& shape() const noexcept { return view_.shape(); }
  [[nodiscard]] bool empty() const noexcept { return view_.empty(); }

 private:
  std::shared_ptr<Memory> memory_;
  View view_;
  MemoryUse use_ = MemoryUse::scratch;
};

}  // namespace precis
