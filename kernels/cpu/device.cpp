#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/error.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"

namespace precis::cpu {
namespace {

void copy_bytes(View out, ConstView x) {
  require(
      out.dtype() == x.dtype() && out.shape() == x.shape(),
      "A copy from {} {} to {} {} was asked for; both must have the same shape and element type.",
      name_of(x.dtype()), to_string(x.shape()), name_of(out.dtype()), to_string(out.shape()));
  if (x.size_bytes() > 0) {
    std::memcpy(out.bytes(), x.bytes(), static_cast<std::size_t>(x.size_bytes()));
  }
}

}  // namespace

Queue make_queue() {
  chosen_isa();
  return Queue(std::make_shared<QueueState>());
}

// Kernels run at once, so an event is past when it is recorded.
Event record(Queue& /*queue*/) { return Event(nullptr); }
void wait(Queue& /*queue*/, const Event& /*event*/) {}
void synchronize(Queue& /*queue*/) {}

void repeat(Queue& /*queue*/, Recording& /*recording*/, const std::function<void()>& work) {
  work();
}

void* allocate(std::int64_t bytes) {
  require(bytes >= 0, "{} bytes of memory were asked for.", bytes);
  // aligned_alloc wants a multiple of the alignment; 0 bytes still get their own address.
  const std::int64_t rounded =
      (std::max<std::int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, static_cast<std::size_t>(rounded));
  require(memory != nullptr,
          "{} bytes ({:.2f} GiB) of host memory could not be allocated; use a smaller batch or "
          "model, or more ranks.",
          bytes, static_cast<double>(bytes) / (1 << 30));
  return memory;
}

void deallocate(void* memory) noexcept { std::free(memory); }

void copy_to_device(Queue& /*queue*/, View out, ConstView host) { copy_bytes(out, host); }
void copy_to_host(Queue& /*queue*/, View host, ConstView x) { copy_bytes(host, x); }

std::string describe() {
  return fmt::format("{}, products by packed tiles", name_of(chosen_isa()));
}

bool rows_are_exact() { return true; }

}  // namespace precis::cpu
