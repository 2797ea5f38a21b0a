#include "threads.hpp"

#include <setjmp.h>  // NOLINT(modernize-deprecated-headers): _setjmp, which leaves the signal mask
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda_runtime.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#else
// AddressSanitizer alone wants to know that the stack changes.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming): its names
inline void __sanitizer_start_switch_fiber(void** /*fake*/, const void* /*stack*/,
                                           std::size_t /*bytes*/) {}
inline void __sanitizer_finish_switch_fiber(void* /*fake*/, const void** /*stack*/,
                                            std::size_t* /*bytes*/) {}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
#endif

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

/// A stack on which one thread after another runs, from block to block. Only its first start is by
/// ucontext, which asks the kernel for the signal mask each time; then it goes by jumps.
struct Fiber {
  Stack stack;
  ucontext_t first{};
  jmp_buf jump;
  bool started = false;
};

struct Thread {
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
  jmp_buf scheduler;
  const void* scheduler_stack = nullptr;
  std::size_t scheduler_stack_bytes = 0;
  std::vector<std::unique_ptr<Fiber>> fibers;  // thread i runs on fiber i
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

[[noreturn]] void run_fiber();

[[noreturn]] void start(Fiber& fiber) {
  getcontext(&fiber.first);
  fiber.first.uc_stack.ss_sp = fiber.stack.memory();
  fiber.first.uc_stack.ss_size = stack_bytes;
  fiber.first.uc_link = nullptr;
  makecontext(&fiber.first, run_fiber, 0);
  setcontext(&fiber.first);
  std::abort();
}

/// From the scheduler to the current thread's fiber; returns when that goes back.
void to_fiber(Fiber& fiber) {
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, fiber.stack.memory(), stack_bytes);
  if (_setjmp(block.scheduler) == 0) {
    if (fiber.started) {
      _longjmp(fiber.jump, 1);
    }
    fiber.started = true;
    start(fiber);
  }
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}

void to_scheduler() {
  Fiber& fiber = *block.fibers[block.current];
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, block.scheduler_stack, block.scheduler_stack_bytes);
  if (_setjmp(fiber.jump) == 0) {
    _longjmp(block.scheduler, 1);
  }
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}

void wait_at(const Gate& gate, const char* where) {
  Thread& thread = current();
  thread.gate = &gate;
  thread.seen = gate.passed;
  thread.waits_at = where;
  to_scheduler();
}

void open_if_all_came() {
  if (block.arrived > 0 && block.arrived == block.live) {
    block.arrived = 0;
    ++block.gate.passed;
  }
}

[[noreturn]] void run_fiber() {
  __sanitizer_finish_switch_fiber(nullptr, &block.scheduler_stack, &block.scheduler_stack_bytes);
  while (true) {
    try {
      (*block.body)();
    } catch (...) {
      block.error = std::current_exception();
    }
    block.threads[block.current].done = true;
    --block.live;
    open_if_all_came();
    to_scheduler();
  }
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
  static std::minstd_rand random;
  const auto count = static_cast<std::size_t>(threads);
  while (block.fibers.size() < count) {
    block.fibers.push_back(std::make_unique<Fiber>());
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
  std::iota(order.begin(), order.end(), std::size_t{0});
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
      to_fiber(*block.fibers[i]);
      moved = true;
      if (block.error) {
        block.fibers.clear();  // the others have stopped in the middle
        std::rethrow_exception(block.error);
      }
    }
    if (!moved) {
      const auto stuck = std::find_if(block.threads.begin(), block.threads.end(),
                                      [](const Thread& t) { return !t.done; });
      block.fibers.clear();
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
