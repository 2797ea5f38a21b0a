// A device: the backend chosen for it and the queue that the host puts its work into.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/tensor.hpp"

namespace precis {

class Device {
 public:
  /// `precision` (f32 or bf16): of the activations of models on this device.
  explicit Device(const Backend& backend, DType precision = DType::f32)
      : backend_(&backend), queue_(backend.make_queue()), precision_(precision) {}

  [[nodiscard]] const Backend& backend() const noexcept { return *backend_; }
  [[nodiscard]] Queue& queue() noexcept { return queue_; }
  [[nodiscard]] DType precision() const noexcept { return precision_; }
  [[nodiscard]] const Memory& memory() const noexcept { return *queue_.memory(); }

  /// Memory that holds whatever it held before. Throws OutOfMemory.
  [[nodiscard]] Tensor allocate(const Shape& shape, DType dtype = DType::f32,
                                MemoryUse use = MemoryUse::scratch) const {
    return {queue_.memory(), shape, dtype, use};
  }
  /// Memory filled with zeros. Throws OutOfMemory.
  [[nodiscard]] Tensor zeros(const Shape& shape, DType dtype = DType::f32,
                             MemoryUse use = MemoryUse::scratch);

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
  DType precision_;
};

/// The device of the keys `device` (auto: a GPU if there is one, cpu, cuda) and `precision` (auto:
/// bf16 on a GPU, f32 on the CPU; f32, bf16). Throws UsageError when there is no such device, or it
/// does not compute so.
[[nodiscard]] Device open_device(std::string_view name, std::string_view precision = "auto");

/// Sets the threads of this rank's kernels; 0 means all that this rank may run on. Returns their
/// number.
int set_threads(int threads);

}  // namespace precis
