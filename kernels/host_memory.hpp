// Memory of the host, each block from the system: what the backends without a device of their own
// compute in.
#pragma once

#include "kernels/memory.hpp"

namespace precis {

class HostMemory : public Memory {
 public:
  /// Alignment in bytes: a cache line, and the widest vector.
  static constexpr std::int64_t alignment = 64;

  HostMemory() : Memory("host memory") {}
  [[nodiscard]] Space space() const override;

 private:
  [[nodiscard]] void* take(std::int64_t bytes) override;
  void give_back(void* memory) noexcept override;
};

}  // namespace precis
