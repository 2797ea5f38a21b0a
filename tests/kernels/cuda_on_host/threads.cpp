#include "threads.hpp"

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda_runtime.h"

namespace cuda_on_host {
namespace {

constexpr std::size_t stack_bytes = std::size_t{128} << 10;
constexpr std::size_t warp_size = 32;
constexpr std::size_t guard_bytes = 256;
constexpr std::size_t shared_alignment = 128;

/// A stack with an inaccessible page below it.
class Stack {
 public:
  Stack()
      : memory_(mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED || mprotect(memory_, 4096, PROT_NONE) != 0) {
      throw std::runtime_error("no memory for a thread's stack");
    }
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() { munmap(memory_, stack_bytes); }
  [[nodiscard]] void* memory() const { return memory_; }

 private:
  void* memory_;
};

/// What a thread waits for: that a count moves on.
struct Gate {
  std::uint64_t passed = 0;
};

struct Copy {
  void* to;
  const void* from;
  int group;
};

struct Thread {
  ucontext_t context{};
  const Gate* gate = nullptr;  // null: may run
  std::uint64_t seen = 0;      // of the gate, when it began to wait
  const char* waits_at = "";
  bool done = false;
  std::vector<Copy> copies;
  int copy_groups = 0;
};

struct Warp {
  Gate gate;
  unsigned mask = 0, arrived = 0;
  std::array<std::byte, 32 * largest_value> offered{}, agreed{};
};

struct Block {
  const char* kernel = "";
  const std::function<void()>* body = nullptr;
  ucontext_t scheduler{};
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Gate gate;
  std::size_t arrived = 0, live = 0;
  std::size_t current = 0;
  std::vector<std::byte> shared;
  std::size_t shared_begin = 0;
  std::exception_ptr error;
};

Block block;  // the one that runs

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(std::string("kernel ") + block.kernel + ": " + what);
}

Thread& current() { return block.threads[block.current]; }

void wait_at(const Gate& gate, const char* where) {
  Thread& thread = current();
  thread.gate = &gate;
  thread.seen = gate.passed;
  thread.waits_at = where;
  swapcontext(&thread.context, &block.scheduler);
}

void open_if_all_came() {
  if (block.arrived > 0 && block.arrived == block.live) {
    block.arrived = 0;
    ++block.gate.passed;
  }
}

void run_thread() {
  try {
    (*block.body)();
  } catch (...) {
    block.error = std::current_exception();
  }
  current().done = true;
  --block.live;
  open_if_all_came();
  swapcontext(&current().context, &block.scheduler);
}

/// Not inlined: getcontext may return twice, and the compiler then fears for its caller's
/// variables.
[[gnu::noinline]] void make_ready(ucontext_t& context, const Stack& stack) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack.memory();
  context.uc_stack.ss_size = stack_bytes;
  context.uc_link = nullptr;
  makecontext(&context, run_thread, 0);
}

void prepare_shared(std::size_t bytes) {
  block.shared.assign(bytes + 2 * guard_bytes + shared_alignment, std::byte{0xff});
  void* begin = block.shared.data() + guard_bytes;
  std::size_t space = block.shared.size() - guard_bytes;
  begin = std::align(shared_alignment, bytes, begin, space);
  block.shared_begin =
      static_cast<std::size_t>(static_cast<std::byte*>(begin) - block.shared.data());
}

void check_shared(std::size_t bytes) {
  const auto intact = [](std::byte byte) { return byte == std::byte{0xff}; };
  const auto begin = block.shared.begin() + static_cast<std::ptrdiff_t>(block.shared_begin);
  if (!std::all_of(block.shared.begin(), begin, intact) ||
      !std::all_of(begin + static_cast<std::ptrdiff_t>(bytes), block.shared.end(), intact)) {
    fail("writes outside its " + std::to_string(bytes) + " bytes of shared memory.");
  }
}

}  // namespace

void run_block(const char* kernel, int threads, std::size_t shared_bytes,
               const std::function<void()>& thread) {
  static std::vector<std::unique_ptr<Stack>> stacks;
  static std::minstd_rand random;
  const auto count = static_cast<std::size_t>(threads);
  while (stacks.size() < count) {
    stacks.push_back(std::make_unique<Stack>());
  }
  block.kernel = kernel;
  block.body = &thread;
  block.threads.assign(count, {});
  block.warps.assign((count + warp_size - 1) / warp_size, {});
  block.gate = {};
  block.arrived = 0;
  block.live = count;
  block.error = nullptr;
  prepare_shared(shared_bytes);
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) {
    make_ready(block.threads[i].context, *stacks[i]);
    order[i] = i;
  }
  while (block.live > 0) {
    bool moved = false;
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t i : order) {
      Thread& next = block.threads[i];
      if (next.done || (next.gate != nullptr && next.gate->passed == next.seen)) {
        continue;
      }
      next.gate = nullptr;
      block.current = i;
      threadIdx = {static_cast<unsigned>(i), 0, 0};
      swapcontext(&block.scheduler, &next.context);
      moved = true;
      if (block.error) {
        std::rethrow_exception(block.error);
      }
    }
    if (!moved) {
      const auto stuck = std::find_if(block.threads.begin(), block.threads.end(),
                                      [](const Thread& t) { return !t.done; });
      fail("thread " + std::to_string(stuck - block.threads.begin()) + " waits for ever at a " +
           stuck->waits_at + ".");
    }
  }
  check_shared(shared_bytes);
}

void barrier() {
  ++block.arrived;
  if (block.arrived == block.live) {
    open_if_all_came();
    return;
  }
  wait_at(block.gate, "barrier");
}

std::byte* shared_memory() { return block.shared.data() + block.shared_begin; }

unsigned lane() { return static_cast<unsigned>(block.current % warp_size); }

void exchange_bytes(unsigned mask, const void* value, std::size_t bytes, std::byte* all) {
  Warp& warp = block.warps[block.current / warp_size];
  const unsigned me = 1U << lane();
  if ((mask & me) == 0 || (warp.arrived != 0 && warp.mask != mask)) {
    fail("the lanes of a warp do not agree on who takes part in a shuffle.");
  }
  if (warp.arrived == 0) {
    warp.mask = mask;
    warp.offered.fill(std::byte{0xff});
  }
  std::memcpy(warp.offered.data() + lane() * largest_value, value, bytes);
  warp.arrived |= me;
  if (warp.arrived == mask) {
    warp.agreed = warp.offered;
    warp.arrived = 0;
    ++warp.gate.passed;
  } else {
    wait_at(warp.gate, "shuffle");
  }
  std::memcpy(all, warp.agreed.data(), warp.agreed.size());
}

void copy_later(void* to, const void* from) {
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 ||
      reinterpret_cast<std::uintptr_t>(from) % 16 != 0) {
    fail("an asynchronous copy is not aligned to 16 bytes.");
  }
  current().copies.push_back({to, from, current().copy_groups});
}

void commit_copies() { ++current().copy_groups; }

void wait_for_copies(int groups_left) {
  Thread& thread = current();
  std::erase_if(thread.copies, [&](const Copy& copy) {
    if (copy.group >= thread.copy_groups - groups_left) {
      return false;
    }
    if (copy.from == nullptr) {
      std::memset(copy.to, 0, 16);
    } else {
      std::memcpy(copy.to, copy.from, 16);
    }
    return true;
  });
}

}  // namespace cuda_on_host
