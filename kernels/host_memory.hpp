// Memory of the host: what the backends without a device of their own compute in.
#pragma once

#include <map>
#include <vector>

#include "kernels/memory.hpp"

namespace precis {

/// Small blocks come from malloc. Large ones are mapped, and the pages of those that were given
/// back go into the next one that is taken, since the system would have to clear others: memory
/// that grows (a workspace is laid out anew, a larger cache takes the place of a small one) is
/// touched once.
class HostMemory : public Memory {
 public:
  /// Alignment in bytes: a cache line, and the widest vector.
  static constexpr std::int64_t alignment = 64;

  HostMemory() : Memory("host memory") {}
  ~HostMemory() override;
  [[nodiscard]] Space space() const override;

 private:
  /// Whole pages, of one mapping.
  struct Piece {
    std::byte* begin = nullptr;
    std::int64_t bytes = 0;
  };

  [[nodiscard]] void* take(std::int64_t bytes) override;
  void give_back(void* memory) noexcept override;
  [[nodiscard]] void* map(std::int64_t bytes);
  void unmap_spare() noexcept;
  [[nodiscard]] std::int64_t spare_bytes() const noexcept;

  std::map<void*, std::vector<Piece>> mapped_;  // by where the block begins
  std::vector<Piece> spare_;                    // of blocks that were given back
};

}  // namespace precis
