// A device: the backend chosen for it and the queue that the host puts its work into.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.hpp"

namespace precis {

class Device {
 public:
  explicit Device(const Backend& backend) : backend_(&backend), queue_(backend.make_queue()) {}

  [[nodiscard]] const Backend& backend() const noexcept { return *backend_; }
  [[nodiscard]] Queue& queue() noexcept { return queue_; }

  /// Memory that holds whatever it held before.
  [[nodiscard]] Tensor allocate(const Shape& shape, DType dtype = DType::f32) const {
    return {*backend_, shape, dtype};
  }
  /// Memory filled with zeros.
  [[nodiscard]] Tensor zeros(const Shape& shape, DType dtype = DType::f32);

  /// A host copy of a device vector; waits for the queue.
  template <class T>
  [[nodiscard]] std::vector<T> to_host(ConstView x) {
    std::vector<T> host(static_cast<std::size_t>(x.numel()));
    backend_->copy_to_host(queue_, view_of(host.data(), x.shape()), x);
    return host;
  }

 private:
  const Backend* backend_;
  Queue queue_;
};

/// The device of a `device` key: `auto`, `cpu` or `cuda`. Throws UsageError when it is not there.
[[nodiscard]] Device open_device(std::string_view name);

/// Sets the threads of this rank's kernels; 0 means all that this rank may run on. Returns their
/// number.
int set_threads(int threads);

}  // namespace precis
