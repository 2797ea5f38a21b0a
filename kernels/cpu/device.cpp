#include <fmt/format.h>

#include <cstring>

#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"
#include "kernels/host_memory.hpp"

namespace precis::cpu {
namespace {

void copy_bytes(View out, ConstView x) {
  if (x.size_bytes() > 0) {
    std::memcpy(out.bytes(), x.bytes(), static_cast<std::size_t>(x.size_bytes()));
  }
}

}  // namespace

Queue make_queue() {
  chosen_isa();
  const auto memory = std::make_shared<HostMemory>();
  return Queue(memory, std::make_shared<QueueState>(memory));
}

// Kernels run at once, so an event is past when it is recorded.
Event record(Queue& /*queue*/) { return Event(nullptr); }
void wait(Queue& /*queue*/, const Event& /*event*/) {}
void synchronize(Queue& /*queue*/) {}

void repeat(Queue& /*queue*/, Recording& /*recording*/, const std::function<void()>& work) {
  work();
}

void copy_to_device(Queue& /*queue*/, View out, ConstView host) { copy_bytes(out, host); }
void copy_to_host(Queue& /*queue*/, View host, ConstView x) { copy_bytes(host, x); }

std::string describe() {
  return fmt::format("{}, products by packed tiles", name_of(chosen_isa()));
}

bool rows_are_exact() { return true; }

}  // namespace precis::cpu
