#include "kernels/host_memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "kernels/control_groups.hpp"

namespace precis {

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
  if (bytes > large && bytes > space().free) {
    return nullptr;
  }
  // aligned_alloc wants a multiple of the alignment; 0 bytes still get their own address.
  const std::int64_t rounded =
      (std::max<std::int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, static_cast<std::size_t>(rounded));
}

void HostMemory::give_back(void* memory) noexcept { std::free(memory); }

}  // namespace precis
