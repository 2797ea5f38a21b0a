#include "kernels/host_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "kernels/control_groups.hpp"

namespace precis {
namespace {

#ifdef __SANITIZE_ADDRESS__
// It sees only the edges of what malloc gives.
constexpr std::int64_t mapped_from = std::numeric_limits<std::int64_t>::max();
#else
constexpr std::int64_t mapped_from = std::int64_t{1} << 20;
#endif

std::int64_t rounded(std::int64_t bytes, std::int64_t grain) {
  return (bytes + grain - 1) / grain * grain;
}

}  // namespace

HostMemory::~HostMemory() { unmap_spare(); }

Memory::Space HostMemory::space() const {
  const std::int64_t total = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  std::ifstream lines("/proc/meminfo");
  std::string key;
  std::int64_t kib = 0;
  for (std::string unit; lines >> key >> kib; std::getline(lines, unit)) {
    if (key == "MemAvailable:") {
      return within_control_groups({kib * 1024, total});
    }
  }
  return within_control_groups({total, total});
}

void* HostMemory::take(std::int64_t bytes) {
  // The system promises more than there is, and ends a program that uses it.
  constexpr std::int64_t large = 1 << 30;
  if (bytes > large && bytes > space().free + spare_bytes()) {
    return nullptr;
  }
  if (bytes >= mapped_from) {
    return map(rounded(bytes, sysconf(_SC_PAGESIZE)));
  }
  // aligned_alloc wants a multiple of the alignment; 0 bytes still get their own address.
  return std::aligned_alloc(
      alignment, static_cast<std::size_t>(rounded(std::max<std::int64_t>(bytes, 1), alignment)));
}

void* HostMemory::map(std::int64_t bytes) {
  void* const memory = mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    unmap_spare();
    return nullptr;
  }
  std::byte* const begin = static_cast<std::byte*>(memory);
  std::vector<Piece> pieces;
  std::int64_t filled = 0;
  for (Piece& spare : spare_) {
    const std::int64_t moved = std::min(spare.bytes, bytes - filled);
    if (moved == 0) {
      break;
    }
    const auto size = static_cast<std::size_t>(moved);
    if (mremap(spare.begin, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, begin + filled) ==
        MAP_FAILED) {
      // The place that it was to come to may be gone.
      (void)munmap(memory, static_cast<std::size_t>(bytes));
      unmap_spare();
      return map(bytes);
    }
    pieces.push_back({begin + filled, moved});
    filled += moved;
    spare = {spare.begin + moved, spare.bytes - moved};
  }
  if (filled < bytes) {
    pieces.push_back({begin + filled, bytes - filled});
  }
  unmap_spare();
  mapped_[memory] = std::move(pieces);
  return memory;
}

void HostMemory::give_back(void* memory) noexcept {
  const auto found = mapped_.find(memory);
  if (found == mapped_.end()) {
    std::free(memory);
    return;
  }
  spare_.insert(spare_.end(), found->second.begin(), found->second.end());
  mapped_.erase(found);
}

void HostMemory::unmap_spare() noexcept {
  for (const Piece& spare : spare_) {
    if (spare.bytes > 0) {
      (void)munmap(spare.begin, static_cast<std::size_t>(spare.bytes));
    }
  }
  spare_.clear();
}

std::int64_t HostMemory::spare_bytes() const noexcept {
  std::int64_t bytes = 0;
  for (const Piece& spare : spare_) {
    bytes += spare.bytes;
  }
  return bytes;
}

}  // namespace precis
