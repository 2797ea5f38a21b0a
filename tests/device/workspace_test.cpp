#include "device/workspace.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "device/arena.hpp"
#include "kernels/cpu/kernels.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

class WorkspaceTest : public testing::Test {
 protected:
  Device device{cpu::backend};
  Workspace workspace{device};
};

TEST_F(WorkspaceTest, TakesDoNotOverlap) {
  std::vector<View> taken;
  for (std::int64_t i = 0; i < 60; ++i) {
    taken.push_back(workspace.take({i, 1000 + i}));
    device.backend().fill(device.queue(), taken.back(), static_cast<double>(i));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(taken.back().bytes()) % 64, 0U);
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    for (const float value : device.to_host<float>(taken[i])) {
      ASSERT_EQ(value, static_cast<float>(i));
    }
  }
}

TEST_F(WorkspaceTest, AScopeGivesBackWhatWasTakenInIt) {
  const View before = workspace.take({10});
  std::byte* first = nullptr;
  {
    const WorkspaceScope scope(workspace);
    first = workspace.take({10}).bytes();
    (void)workspace.take({1 << 20});  // a chunk of its own
  }
  EXPECT_EQ(workspace.take({10}).bytes(), first);
  EXPECT_NE(before.bytes(), first);
}

TEST_F(WorkspaceTest, AfterOneRoundAllocatesNothing) {
  const auto round = [&] {
    workspace.reset();
    for (int i = 0; i < 5; ++i) {
      (void)workspace.take({300'000});
    }
    return device.memory().changes();
  };
  (void)round();
  const auto changes = round();
  EXPECT_GE(workspace.bytes(), 5 * 300'000 * 4);
  EXPECT_EQ(device.memory().held().of(MemoryUse::activations), workspace.bytes());
  workspace.reset();
  const std::byte* begin = workspace.take({1}).bytes();
  EXPECT_EQ(round(), changes);
  workspace.reset();
  EXPECT_EQ(workspace.take({1}).bytes(), begin);
}

TEST_F(WorkspaceTest, UploadsAndZeros) {
  std::vector<std::int32_t> numbers(77);
  std::iota(numbers.begin(), numbers.end(), -5);
  const View up = workspace.upload(numbers);
  EXPECT_EQ(up.dtype(), DType::i32);
  EXPECT_EQ(device.to_host<std::int32_t>(up), numbers);
  EXPECT_EQ(workspace.upload(std::vector<float>{}).numel(), 0);
  EXPECT_EQ(device.to_host<float>(workspace.zeros({3, 2})), std::vector<float>(6, 0.0F));
}

TEST(Arena, HoldsWhatTheLargestNeeds) {
  Device device(cpu::backend);
  const auto arena = std::make_shared<Arena>(device);
  EXPECT_EQ(shared_or_own(arena, device), arena);
  EXPECT_NE(shared_or_own(nullptr, device), nullptr);
  Workspace& first = arena->slot(0);
  Workspace& third = arena->slot(2);
  EXPECT_EQ(&arena->slot(0), &first);
  for (const std::int64_t size : {3, 1, 2}) {
    first.reset();
    (void)first.take({size << 20});
    third.reset();
    (void)third.take({1});
    (void)arena->backward().take({1});
  }
  EXPECT_EQ(first.bytes(), std::int64_t{3} << 22);
  EXPECT_EQ(arena->bytes(), first.bytes() + third.bytes() + arena->backward().bytes());
  EXPECT_EQ(device.memory().held().of(MemoryUse::activations), arena->bytes());
}

TEST(Tensor, MovesItsMemory) {
  Device device(cpu::backend);
  Tensor a = device.zeros({4, 2});
  const std::byte* memory = a.view().bytes();
  Tensor b = std::move(a);
  EXPECT_EQ(b.view().bytes(), memory);
  EXPECT_EQ(b.shape(), Shape({4, 2}));
  Tensor c = device.allocate({1}, DType::f64);
  c = std::move(b);
  EXPECT_EQ(c.view().bytes(), memory);
  EXPECT_TRUE(Tensor().empty());
}

TEST(Device, IsChosenByName) {
  EXPECT_STREQ(open_device("cpu").backend().name, "cpu");
  EXPECT_STREQ(open_device("auto").backend().name, "cpu");
  EXPECT_THAT(message_of<UsageError>([] { (void)open_device("gpu"); }),
              testing::HasSubstr("expected auto, cpu or cuda"));
  EXPECT_THAT(message_of<UsageError>([] { (void)open_device("cuda"); }),
              testing::HasSubstr("CUDA"));
  EXPECT_EQ(set_threads(2), 2);
}

}  // namespace
}  // namespace precis
