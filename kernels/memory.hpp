// The memory of a device: where it comes from, what it is for, and how much of it is held.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/view.hpp"

namespace precis {

/// What memory is for: how it is counted, and named in messages.
enum class MemoryUse : std::uint8_t {
  parameters,
  packed_weights,
  gradients,
  optimizer_state,
  activations,  ///< their gradients included
  key_value_cache,
  scratch,
};
inline constexpr std::size_t memory_uses = 7;

/// Bytes by use.
struct MemoryCount {
  std::array<std::int64_t, memory_uses> bytes{};

  [[nodiscard]] std::int64_t& of(MemoryUse use) { return bytes[static_cast<std::size_t>(use)]; }
  [[nodiscard]] std::int64_t of(MemoryUse use) const {
    return bytes[static_cast<std::size_t>(use)];
  }
  [[nodiscard]] std::int64_t total() const;
};
/// "parameters 1.5 GiB, gradients 1.5 GiB": the uses that have any.
[[nodiscard]] std::string to_string(const MemoryCount& count);

/// The memory that a queue's kernels work on. What is freed may be allocated again at once, since
/// kernels run in the queue's order: neither waits for the device.
class Memory {
 public:
  /// `name`: "host memory", as messages say it.
  explicit Memory(const char* name) : name_(name) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  virtual ~Memory() = default;

  /// Throws OutOfMemory. Aligned to at least 64 bytes, not initialised.
  [[nodiscard]] std::byte* allocate(const Shape& shape, DType dtype, MemoryUse use);
  /// `bytes` and `use` are those it was allocated with.
  void deallocate(void* memory, std::int64_t bytes, MemoryUse use) noexcept;

  [[nodiscard]] const char* name() const noexcept { return name_; }
  [[nodiscard]] const MemoryCount& held() const noexcept { return held_; }
  /// What was held when that was most, so far.
  [[nodiscard]] const MemoryCount& peak() const noexcept { return peak_; }
  /// Counts allocations and frees: while it stays the same, so do all addresses.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }

  /// Bytes of the device, which other programs may use too.
  struct Space {
    std::int64_t free = 0;
    std::int64_t total = 0;
  };
  [[nodiscard]] virtual Space space() const = 0;

 private:
  /// Null when not enough is left.
  [[nodiscard]] virtual void* take(std::int64_t bytes) = 0;
  virtual void give_back(void* memory) noexcept = 0;

  const char* name_;
  MemoryCount held_, peak_;
  std::uint64_t changes_ = 0;
};

}  // namespace precis
