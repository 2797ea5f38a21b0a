// Memory on a device that one object owns.
#pragma once

#include <utility>

#include "kernels/backend.hpp"

namespace precis {

/// An owning, move-only block of device memory with a dtype and a shape. Not initialised.
class Tensor {
 public:
  Tensor() = default;
  /// Throws Error when the memory cannot be had.
  Tensor(const Backend& backend, const Shape& shape, DType dtype)
      : backend_(&backend),
        view_(static_cast<std::byte*>(backend.allocate(shape.numel() * size_of(dtype))), dtype,
              shape) {}
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  Tensor(Tensor&& other) noexcept
      : backend_(std::exchange(other.backend_, nullptr)), view_(std::exchange(other.view_, {})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Tensor() {
    if (backend_ != nullptr) {
      backend_->deallocate(view_.bytes());
    }
  }

  [[nodiscard]] View view() noexcept { return view_; }
  [[nodiscard]] ConstView view() const noexcept { return view_; }
  [[nodiscard]] const Shape& shape() const noexcept { return view_.shape(); }
  [[nodiscard]] bool empty() const noexcept { return view_.empty(); }

 private:
  const Backend* backend_ = nullptr;
  View view_;
};

}  // namespace precis
