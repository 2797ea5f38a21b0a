#include "kernels/cpu/queue.hpp"

#include <algorithm>

#include "kernels/cpu/kernels.hpp"

namespace precis::cpu {

void Deallocate::operator()(void* memory) const noexcept { deallocate(memory); }

Memory allocate_memory(std::int64_t bytes) {
  return Memory(static_cast<std::byte*>(allocate(bytes)));
}

std::byte* Scratch::bytes(std::int64_t size) {
  if (size > size_) {
    memory_.reset();
    size_ = 0;
    const std::int64_t grown = std::max<std::int64_t>(size, 1 << 16);
    memory_ = allocate_memory(grown);
    size_ = grown;
  }
  return memory_.get();
}

}  // namespace precis::cpu
