// Collectives and messages on views, blocking and started, between the ranks of mpirun.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "kernels/counting/queue.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/tensor.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"
#include "parallel/planned_ranks.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

/// Nothing, one element, odd numbers of them; below and above the length from which the blocking
/// collective is used.
constexpr std::array<std::size_t, 5> counts{0, 1, 3, 1001, 100'003};

class CommunicatorTest : public testing::Test {
 protected:
  RankGroup& world = test_session().world();
  MpiCommunicator all{world};
  Queue queue = cpu::backend.make_queue();
  const int size = world.size();
  const int rank = world.rank();
};

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// Element i of what a rank gives: small whole numbers, exact in every type and order.
template <class T>
T given(std::size_t i, int rank) {
  return static_cast<T>(static_cast<int>(i % 97) - 5 * rank);
}

template <class T>
std::vector<T> given_by(std::size_t count, int rank) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = given<T>(i, rank);
  }
  return values;
}

template <class T>
T reduced(std::size_t i, int ranks, Reduction reduction) {
  T result = given<T>(i, 0);
  for (int rank = 1; rank < ranks; ++rank) {
    const T other = given<T>(i, rank);
    result = reduction == Reduction::sum   ? static_cast<T>(result + other)
             : reduction == Reduction::max ? std::max(result, other)
                                           : std::min(result, other);
  }
  return result;
}

template <class T>
class Reductions : public CommunicatorTest {
 protected:
  static std::size_t wrong(const std::vector<T>& values, std::size_t first, int ranks,
                           Reduction reduction) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      count += values[i] != reduced<T>(first + i, ranks, reduction) ? 1 : 0;
    }
    return count;
  }
};
using Types = testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(Reductions, Types);

TYPED_TEST(Reductions, ReachEveryRank) {
  for (const std::size_t count : counts) {
    for (const Reduction reduction : {Reduction::sum, Reduction::max, Reduction::min}) {
      std::vector<TypeParam> values = given_by<TypeParam>(count, this->rank);
      this->all.all_reduce(this->queue, view_of(values), reduction);
      EXPECT_EQ(this->wrong(values, 0, this->size, reduction), 0U) << count;

      values = given_by<TypeParam>(count, this->rank);
      this->all.start_all_reduce(this->queue, view_of(values), reduction).wait();
      EXPECT_EQ(this->wrong(values, 0, this->size, reduction), 0U) << count << " started";
    }
  }
}

TYPED_TEST(Reductions, AreScatteredByRank) {
  for (const std::size_t count : counts) {
    for (const Reduction reduction : {Reduction::sum, Reduction::max, Reduction::min}) {
      const std::vector<TypeParam> values =
          given_by<TypeParam>(count * static_cast<std::size_t>(this->size), this->rank);
      const std::size_t first = count * static_cast<std::size_t>(this->rank);
      std::vector<TypeParam> mine(count);
      this->all.reduce_scatter(this->queue, view_of(mine), view_of(values), reduction);
      EXPECT_EQ(this->wrong(mine, first, this->size, reduction), 0U) << count;

      std::vector<TypeParam> again(count);
      this->all.start_reduce_scatter(this->queue, view_of(again), view_of(values), reduction)
          .wait();
      EXPECT_EQ(this->wrong(again, first, this->size, reduction), 0U) << count << " started";
    }
  }
}

TEST_F(CommunicatorTest, ASumHasTheSameBitsOnEveryRank) {
  for (const bool started : {false, true}) {
    for (const std::size_t count : {1, 7, 1001, 70'001}) {
      std::vector<float> values(count);
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = 1.0F / static_cast<float>(i + 1 + 7 * static_cast<std::size_t>(rank));
      }
      if (started) {
        all.start_all_reduce(queue, view_of(values), Reduction::sum).wait();
      } else {
        all.all_reduce(queue, view_of(values), Reduction::sum);
      }
      std::vector<float> of_rank_0 = values;
      all.broadcast(queue, view_of(of_rank_0), 0);
      EXPECT_EQ(std::memcmp(values.data(), of_rank_0.data(), count * sizeof(float)), 0) << count;
    }
  }
}

TEST_F(CommunicatorTest, ReductionsRefuseOtherTypes) {
  std::vector<BFloat16> halves(static_cast<std::size_t>(size));
  std::vector<BFloat16> half(1);
  std::vector<std::uint8_t> bytes(3);
  EXPECT_THAT(message_of([&] { all.all_reduce(queue, view_of(halves), Reduction::sum); }),
              AllOf(HasSubstr("f32, f64, i32 or i64"), HasSubstr("bf16")));
  EXPECT_THAT(message_of([&] {
                all.reduce_scatter(queue, view_of(half), view_of(halves), Reduction::max);
              }),
              HasSubstr("bf16"));
  EXPECT_THAT(message_of([&] {
                static_cast<void>(all.start_all_reduce(queue, view_of(bytes), Reduction::sum));
              }),
              HasSubstr("u8"));
}

template <class T>
class Moved : public CommunicatorTest {
 protected:
  static T of_rank(int rank) {
    T value{};
    std::memset(&value, rank + 1, sizeof value);
    return value;
  }
  static std::ptrdiff_t count_of(const T* begin, std::size_t count, int rank) {
    const T wanted = of_rank(rank);
    return std::count_if(begin, begin + count, [&](const T& value) {
      return std::memcmp(&value, &wanted, sizeof value) == 0;
    });
  }
};
using MovedTypes =
    testing::Types<float, double, BFloat16, std::int32_t, std::int64_t, std::uint8_t>;
TYPED_TEST_SUITE(Moved, MovedTypes);

TYPED_TEST(Moved, PartsAreGatheredInTheOrderOfRanks) {
  for (const std::size_t count : counts) {
    for (const bool in_place : {false, true}) {
      for (const bool started : {false, true}) {
        std::vector<TypeParam> parts(count * static_cast<std::size_t>(this->size));
        std::vector<TypeParam> mine(count, this->of_rank(this->rank));
        View out = view_of(parts);
        ConstView part = view_of(mine);
        if (in_place) {
          std::copy(mine.begin(), mine.end(),
                    parts.begin() + this->rank * static_cast<std::ptrdiff_t>(count));
          const auto length = static_cast<std::int64_t>(count);
          part = out.rows(this->rank * length, (this->rank + 1) * length);
        }
        if (started) {
          this->all.start_all_gather(this->queue, out, part).wait();
        } else {
          this->all.all_gather(this->queue, out, part);
        }
        for (int other = 0; other < this->size; ++other) {
          EXPECT_EQ(
              this->count_of(parts.data() + static_cast<std::size_t>(other) * count, count, other),
              static_cast<std::ptrdiff_t>(count))
              << count << (in_place ? " in place" : "") << (started ? " started" : "");
        }
      }
    }
  }
}

TYPED_TEST(Moved, BroadcastsComeFromEveryRoot) {
  for (int root = 0; root < this->size; ++root) {
    for (const std::size_t count : counts) {
      std::vector<TypeParam> values(count, this->of_rank(this->rank));
      this->all.broadcast(this->queue, view_of(values), root);
      EXPECT_EQ(this->count_of(values.data(), count, root), static_cast<std::ptrdiff_t>(count));
      std::fill(values.begin(), values.end(), this->of_rank(this->rank));
      this->all.start_broadcast(this->queue, view_of(values), root).wait();
      EXPECT_EQ(this->count_of(values.data(), count, root), static_cast<std::ptrdiff_t>(count));
    }
  }
}

TYPED_TEST(Moved, MessagesGoAroundTheRing) {
  const int next = (this->rank + 1) % this->size;
  const int previous = (this->rank + this->size - 1) % this->size;
  for (const std::size_t count : counts) {
    const std::vector<TypeParam> values(count, this->of_rank(this->rank));
    std::vector<TypeParam> received(count);
    // Started first, so that no send needs a receive that comes later; with one rank to itself.
    StartedOperation arrives = this->all.start_receive(this->queue, view_of(received), previous, 7);
    this->all.send(this->queue, view_of(values), next, 7);
    arrives.wait();
    EXPECT_EQ(this->count_of(received.data(), count, previous), static_cast<std::ptrdiff_t>(count));

    std::fill(received.begin(), received.end(), TypeParam{});
    StartedOperation leaves = this->all.start_send(this->queue, view_of(values), next, 8);
    this->all.receive(this->queue, view_of(received), previous, 8);
    leaves.wait();
    EXPECT_EQ(this->count_of(received.data(), count, previous), static_cast<std::ptrdiff_t>(count));
  }
}

TEST_F(CommunicatorTest, LongViewsTravelInPieces) {
  if (size != 2) {
    GTEST_SKIP() << "run once, on two ranks: it takes half a gigabyte";
  }
  // More bytes than one MPI call is given.
  const std::size_t count = (std::size_t{1} << 28) + 12'345;
  std::vector<std::uint8_t> values(count, rank == 0 ? 3 : 0);
  values.back() = rank == 0 ? 7 : 0;
  all.broadcast(queue, view_of(values), 0);
  EXPECT_EQ(values[count - 12'346], 3);
  EXPECT_EQ(values[count - 12'345], 3);
  EXPECT_EQ(values.back(), 7);
  if (rank == 0) {
    std::fill(values.begin(), values.end(), std::uint8_t{9});
    all.send(queue, view_of(values), 1, 5);
  } else {
    all.receive(queue, view_of(values), 0, 5);
    EXPECT_EQ(values.front(), 9);
    EXPECT_EQ(values.back(), 9);
  }
}

TEST_F(CommunicatorTest, SeveralStartedOperationsAreWaitedForInAnyOrder) {
  constexpr std::size_t count = 50'021;
  std::vector<float> sums = given_by<float>(count, rank);
  std::vector<std::int64_t> least = given_by<std::int64_t>(count, rank);
  std::vector<double> from_last(count, rank);
  std::vector<float> parts(count * static_cast<std::size_t>(size));
  const std::vector<float> mine(count, static_cast<float>(rank));
  std::vector<float> received(count);
  std::vector<StartedOperation> started;
  started.push_back(all.start_all_reduce(queue, view_of(sums), Reduction::sum));
  started.push_back(all.start_receive(queue, view_of(received), (rank + 1) % size, 4));
  started.push_back(all.start_all_reduce(queue, view_of(least), Reduction::min));
  started.push_back(all.start_broadcast(queue, view_of(from_last), size - 1));
  started.push_back(all.start_send(queue, view_of(mine), (rank + size - 1) % size, 4));
  started.push_back(all.start_all_gather(queue, view_of(parts), view_of(mine)));
  // Each rank in an order of its own, and a blocking operation in between.
  std::rotate(started.begin(), started.begin() + rank, started.end());
  std::reverse(started.begin() + 1, started.end());
  started.front().wait();
  std::vector<float> blocking(70'000, 1.0F);
  all.all_reduce(queue, view_of(blocking), Reduction::sum);
  for (StartedOperation& operation : started) {
    operation.wait();
    EXPECT_TRUE(operation.test());
  }
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    wrong += sums[i] != reduced<float>(i, size, Reduction::sum) ? 1 : 0;
    wrong += least[i] != reduced<std::int64_t>(i, size, Reduction::min) ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_THAT(from_last, Each(size - 1.0));
  EXPECT_THAT(received, Each(static_cast<float>((rank + 1) % size)));
  for (int other = 0; other < size; ++other) {
    EXPECT_EQ(parts[static_cast<std::size_t>(other + 1) * count - 1], static_cast<float>(other));
  }
  EXPECT_THAT(blocking, Each(static_cast<float>(size)));
}

TEST_F(CommunicatorTest, AStartedOperationGoesOnWhileOthersWork) {
  if (size == 1) {
    GTEST_SKIP() << "needs another rank";
  }
  std::vector<float> sums = given_by<float>(60'001, rank);
  const std::int64_t before = world.progress().sequence();
  StartedOperation sum = all.start_all_reduce(queue, view_of(sums), Reduction::sum);
  EXPECT_EQ(world.progress().state(), ProgressRecord::State::computing);
  EXPECT_EQ(world.progress().sequence(), before + 1);
  EXPECT_EQ(world.progress().operation(), "start of all-reduce");
  // Only by being asked between pieces of work: nobody waits.
  std::vector<double> work(1000, 1.0);
  while (!sum.test()) {
    for (double& value : work) {
      value = value * 0.5 + 1.0;
    }
  }
  EXPECT_EQ(world.progress().sequence(), before + 1);
  sum.wait();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    wrong += sums[i] != reduced<float>(i, size, Reduction::sum) ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0U);
}

TEST_F(CommunicatorTest, WaitingForAStartedOperationIsSeenByTheWatchdog) {
  if (size == 1) {
    GTEST_SKIP() << "needs another rank";
  }
  // Rank 0 waits for a message that the last rank sends when it has seen it waiting.
  std::vector<float> one(1, 5.0F);
  ProgressBoard& board = test_session().board();
  world.barrier();
  if (rank == 0) {
    all.start_receive(queue, view_of(one), size - 1, 2).wait();
  } else if (rank == size - 1) {
    const ProgressRecord& record = board.of_node_rank(0);
    while (record.state() != ProgressRecord::State::waiting ||
           record.operation() != fmt::format("started receive from rank {}", size - 1)) {
      std::this_thread::yield();
    }
    EXPECT_EQ(record.communicator(), "world");
    all.send(queue, view_of(one), 0, 2);
  }
  world.barrier();
}

TEST_F(CommunicatorTest, AStartedOperationIsLeftWhileAnExceptionIsOnItsWay) {
  // Nobody sends: waiting would never end. The memory outlives the test, as it stays open to MPI.
  static std::vector<float> values(3);
  const auto unwound = world.duplicate("unwound");
  EXPECT_THROW(
      {
        MpiCommunicator left(*unwound);
        const StartedOperation operation =
            left.start_receive(queue, view_of(values), (rank + 1) % size, 9);
        throw std::runtime_error("a failure");
      },
      std::runtime_error);
  world.barrier();
}

TEST_F(CommunicatorTest, AStartedOperationIsWaitedForByItsDestructor) {
  std::vector<float> values(40'000, 1.0F);
  std::vector<float> more(40'000, 2.0F);
  {
    StartedOperation operation = all.start_all_reduce(queue, view_of(values), Reduction::sum);
    operation = all.start_all_reduce(queue, view_of(more), Reduction::sum);
  }
  EXPECT_THAT(values, Each(1.0F * static_cast<float>(size)));
  EXPECT_THAT(more, Each(2.0F * static_cast<float>(size)));
}

TEST_F(CommunicatorTest, MessagesOfAnotherLengthAreRefused) {
  const int partner = rank ^ 1;
  if (partner >= size) {
    GTEST_SKIP() << "needs a partner";
  }
  // Short enough to travel at once: where one process reads the other's memory, Open MPI 4.1 writes
  // beyond a receive that is too short before it says so.
  for (const std::int64_t sent : {0, 2, 200}) {
    std::vector<float> values(200);
    std::vector<float> received(100);
    StartedOperation leaves = all.start_send(queue, view_of(values).rows(0, sent), partner, 3);
    EXPECT_THAT(message_of([&] { all.receive(queue, view_of(received), partner, 3); }),
                AllOf(HasSubstr(fmt::format("A receive from rank {} on 'world'", partner)),
                      HasSubstr("expected 400 bytes, but"),
                      HasSubstr(sent > 100 ? "more came" : fmt::format("{} came", 4 * sent))));
    leaves.wait();
  }
}

TEST_F(CommunicatorTest, ErrorsCarryTheTextOfMpi) {
  std::vector<float> values(1);
  EXPECT_THAT(message_of([&] { all.send(queue, view_of(values), 0, -5); }),
              HasSubstr("MPI_Isend failed: MPI_ERR_TAG"));
}

TEST_F(CommunicatorTest, ArgumentsAreChecked) {
  std::vector<float> one(1);
  std::vector<float> many(static_cast<std::size_t>(size) * 3);
  const std::string ranks = fmt::format("names rank {}, but it has ranks 0 to {}.", size, size - 1);
  EXPECT_THAT(message_of([&] { all.broadcast(queue, view_of(one), size); }), HasSubstr(ranks));
  EXPECT_THAT(message_of([&] { all.send(queue, view_of(one), size, 1); }), HasSubstr(ranks));
  EXPECT_THAT(message_of([&] { all.receive(queue, view_of(one), size, 1); }), HasSubstr(ranks));
  const std::string parts = "the whole must be a part for each rank";
  EXPECT_THAT(message_of([&] { all.all_gather(queue, view_of(many), view_of(one)); }),
              HasSubstr(parts));
  EXPECT_THAT(
      message_of([&] { all.reduce_scatter(queue, view_of(one), view_of(many), Reduction::sum); }),
      HasSubstr(parts));
  const View parts_of = view_of(many);
  EXPECT_THAT(
      message_of([&] { all.reduce_scatter(queue, parts_of.rows(0, 3), parts_of, Reduction::sum); }),
      HasSubstr("overlaps"));
  std::vector<float> longer(many.size() + 1);
  const View out = view_of(longer).rows(1, 1 + 3 * size);
  EXPECT_THAT(
      message_of([&] { all.all_gather(queue, out, view_of(longer).rows(3 * rank, 3 * rank + 3)); }),
      HasSubstr("overlaps"));
}

TEST_F(CommunicatorTest, MpiRefusesMemoryThatIsNotTheHosts) {
  Queue counting = counting::make_queue();
  Tensor values(counting.memory(), {3}, DType::f32, MemoryUse::scratch);
  if (size == 1) {
    // Nothing is sent, so nothing is looked at.
    all.all_reduce(counting, values.view(), Reduction::sum);
    all.broadcast(counting, values.view(), 0);
    return;
  }
  EXPECT_THAT(message_of([&] { all.all_reduce(counting, values.view(), Reduction::sum); }),
              AllOf(HasSubstr("host memory only"), HasSubstr("'world' was given counted memory")));
}

TEST(PlannedRanks, LeaveWhatARankHas) {
  PlannedRanks ranks(1, 4);
  Queue queue = cpu::backend.make_queue();
  std::vector<float> values{1.0F, 2.0F};
  ranks.all_reduce(queue, view_of(values), Reduction::sum);
  StartedOperation operation = ranks.start_receive(queue, view_of(values), 3, 1);
  EXPECT_TRUE(operation.test());
  EXPECT_THAT(values, testing::ElementsAre(1.0F, 2.0F));
  EXPECT_EQ(all_sum(ranks.group(), 2.5), 2.5);
}

}  // namespace
}  // namespace precis
