// Memory is counted by its use and given back; what cannot be had is told with all that is known.
#include "kernels/memory.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "kernels/cpu/kernels.hpp"
#include "kernels/harness.hpp"
#include "kernels/out_of_memory.hpp"
#include "kernels/scratch.hpp"
#include "support/expect_error.hpp"

namespace precis::test {
namespace {

class MemoryTest : public testing::Test {
 protected:
  Queue queue = backend_under_test().make_queue();
  Memory& memory = *queue.memory();

  [[nodiscard]] Tensor floats(std::int64_t count, MemoryUse use) const {
    return {queue.memory(), Shape{count}, DType::f32, use};
  }
};

TEST_F(MemoryTest, IsCountedByUse) {
  Tensor parameters = floats(1000, MemoryUse::parameters);
  {
    const Tensor gradients = floats(500, MemoryUse::gradients);
    EXPECT_EQ(memory.held().of(MemoryUse::gradients), 2000);
    EXPECT_EQ(memory.held().total(), 6000);
  }
  EXPECT_EQ(memory.held().total(), 4000);
  EXPECT_EQ(memory.changes(), 3U);
  Tensor moved = std::move(parameters);
  EXPECT_EQ(memory.held().total(), 4000);
  moved = floats(300, MemoryUse::activations);
  EXPECT_EQ(memory.held().of(MemoryUse::activations), 1200);
  EXPECT_EQ(to_string(memory.held()), "activations 1.2 KiB");
  // The peak is of one moment: before the gradients went.
  EXPECT_EQ(to_string(memory.peak()), "parameters 3.9 KiB, gradients 2.0 KiB");
}

TEST_F(MemoryTest, IsAlignedAndOutlivesItsQueue) {
  Tensor kept;
  {
    const Queue other = backend_under_test().make_queue();
    for (const std::int64_t bytes : {0, 1, 63, 64, 65, 1000}) {
      kept = Tensor(other.memory(), Shape{bytes}, DType::u8, MemoryUse::scratch);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(kept.view().bytes()) % 64, 0U);
    }
  }
  EXPECT_EQ(kept.view().numel(), 1000);
}

TEST_F(MemoryTest, ScratchGrowsAndIsUsedAgain) {
  Scratch scratch(queue.memory());
  const std::byte* first = scratch.bytes(10);
  EXPECT_EQ(reinterpret_cast<const std::byte*>(scratch.of<double>(100)), first);
  EXPECT_EQ(memory.changes(), 1U);
  (void)scratch.bytes(1 << 20);
  EXPECT_EQ(memory.held().of(MemoryUse::scratch), 1 << 20);
}

#ifndef __SANITIZE_ADDRESS__
/// Pages that the system cleared so far.
long cleared_pages() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST(HostMemoryTest, ThatGrowsKeepsItsPages) {
  const Queue queue = cpu::backend.make_queue();
  const auto touched = [&](std::int64_t bytes) {
    Tensor block(queue.memory(), Shape{bytes}, DType::u8, MemoryUse::activations);
    std::fill_n(block.view().bytes(), bytes, std::byte{1});
    return block;
  };
  constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
  std::vector<Tensor> blocks;
  for (const std::int64_t size : {1, 5, 2, 8}) {
    blocks.push_back(touched(size * mebibyte + 100));
  }
  const long before = cleared_pages();
  // As large, smaller, and as large again, of which a part is new.
  blocks.clear();
  blocks.push_back(touched(16 * mebibyte));
  EXPECT_LT(cleared_pages() - before, 100);
  blocks.clear();
  blocks.push_back(touched(12 * mebibyte));
  EXPECT_LT(cleared_pages() - before, 150);
  const Tensor other = touched(3 * mebibyte);
  EXPECT_GE(cleared_pages() - before, 3 * mebibyte / sysconf(_SC_PAGESIZE));
  // Blocks of many pieces grow too, and what they hold is theirs.
  blocks.clear();
  blocks.push_back(touched(13 * mebibyte));
  std::fill_n(blocks.front().view().bytes(), 13 * mebibyte, std::byte{2});
  EXPECT_TRUE(std::all_of(other.view().bytes(), other.view().bytes() + 3 * mebibyte,
                          [](std::byte byte) { return byte == std::byte{1}; }));
}
#endif

TEST_F(MemoryTest, ThatCannotBeHadIsExplained) {
  const Tensor parameters = floats(1024, MemoryUse::parameters);
  const auto message_for = [&](MemoryUse use) {
    return message_of<OutOfMemory>([&] {
      (void)Tensor(queue.memory(), {1 << 30, 1 << 20}, DType::f32, use);
    });
  };
  const std::string message = message_for(MemoryUse::key_value_cache);
  EXPECT_THAT(message,
              testing::StartsWith(fmt::format("4.0 PiB of {} for key-value cache, f32 "
                                              "(1073741824, 1048576), could not be allocated: ",
                                              memory.name())));
  EXPECT_THAT(message, testing::HasSubstr("are free. This process holds 4.0 KiB: parameters"));
  EXPECT_THAT(message, testing::HasSubstr("max_sequences"));
  EXPECT_THAT(message_for(MemoryUse::activations), testing::HasSubstr("micro_batch_tokens"));
  EXPECT_THAT(message_for(MemoryUse::gradients), testing::EndsWith("Use a smaller model."));
  EXPECT_EQ(memory.held().total(), 4096);
  EXPECT_THAT(message_of<Error>([&] { (void)floats(-1, MemoryUse::scratch); }),
              testing::HasSubstr("-4 bytes"));
}

}  // namespace
}  // namespace precis::test
