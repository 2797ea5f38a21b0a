// Collectives, messages, groups and agreed errors between the ranks of mpirun.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <span>

#include "parallel/agreement.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mailbox.hpp"
#include "parallel/mpi_test.hpp"
#include "parallel/role_layout.hpp"
#include "parallel/waiting.hpp"
#include "parallel/watchdog.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

MpiCommunicator& world() { return test_session().world(); }

Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
class AllReduce : public testing::Test {};
using Types = testing::Types<float, double, std::int64_t>;
TYPED_TEST_SUITE(AllReduce, Types);

TYPED_TEST(AllReduce, SumsAndTakesMaximaOfEveryLength) {
  const int size = world().size();
  // Below and above the length from which the blocking collective is used.
  for (const std::size_t count : {0, 1, 3, 1000, 100'003}) {
    std::vector<TypeParam> sums(count);
    std::vector<TypeParam> maxima(count);
    for (std::size_t i = 0; i < count; ++i) {
      const int term = static_cast<int>(i % 97) + world().rank();
      const int candidate = -5 - (static_cast<int>(i) + world().rank()) % size;
      sums[i] = static_cast<TypeParam>(term);
      maxima[i] = static_cast<TypeParam>(candidate);
    }
    world().all_reduce(view_of(sums), Reduction::sum);
    world().all_reduce(view_of(maxima), Reduction::max);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const int expected = size * static_cast<int>(i % 97) + size * (size - 1) / 2;
      wrong +=
          sums[i] != static_cast<TypeParam>(expected) || maxima[i] != static_cast<TypeParam>(-5)
              ? 1
              : 0;
    }
    EXPECT_EQ(wrong, 0U) << count << " elements";
  }
}

TEST(Communicator, AllReduceGivesEveryRankTheSameBits) {
  for (const std::size_t count : {1, 7, 1001, 70'001}) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = 1.0F / static_cast<float>(i + 1 + 7 * static_cast<std::size_t>(world().rank()));
    }
    world().all_reduce(view_of(values), Reduction::sum);
    std::vector<float> of_rank_0 = values;
    world().broadcast(view_of(of_rank_0), 0);
    EXPECT_EQ(std::memcmp(values.data(), of_rank_0.data(), count * sizeof(float)), 0) << count;
  }
}

TEST(Communicator, AllReduceRefusesOtherTypes) {
  std::vector<std::int32_t> values(3);
  EXPECT_THROW(world().all_reduce(view_of(values), Reduction::sum), Error);
}

TEST(Communicator, ScalarsAreReduced) {
  const int size = world().size();
  EXPECT_EQ(all_sum(world(), 0.5), 0.5 * size);
  EXPECT_EQ(all_sum(world(), std::int64_t{1} << 40), std::int64_t{size} << 40);
  EXPECT_EQ(all_max(world(), -1.0 * world().rank()), 0.0);
}

TEST(Communicator, BroadcastsFromEveryRoot) {
  for (int root = 0; root < world().size(); ++root) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{50'000}}) {
      std::vector<std::int32_t> values(count, world().rank());
      world().broadcast(view_of(values), root);
      EXPECT_EQ(std::count(values.begin(), values.end(), root), static_cast<std::ptrdiff_t>(count));
    }
    const std::string mine(static_cast<std::size_t>(world().rank() + 1) * 3, 'x');
    EXPECT_EQ(world().broadcast_text(mine, root).size(), static_cast<std::size_t>(root + 1) * 3);
  }
  EXPECT_EQ(world().broadcast_text("", 0), "");
  std::vector<float> one(1);
  EXPECT_THROW(world().broadcast(view_of(one), world().size()), Error);
}

TEST(Communicator, GathersBytesOfUnequalLength) {
  // Rank 0 gives nothing.
  const std::string mine(static_cast<std::size_t>(world().rank()) * 1000,
                         static_cast<char>('a' + world().rank()));
  const std::vector<Bytes> parts = world().all_gather(bytes_of(mine));
  EXPECT_EQ(parts.size(), static_cast<std::size_t>(world().size()));
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    EXPECT_EQ(text_of(parts[rank]),
              std::string(rank * 1000, static_cast<char>('a' + static_cast<int>(rank))));
  }
}

TEST(Communicator, SendsViewsAroundTheRing) {
  const int size = world().size();
  if (size == 1) {
    GTEST_SKIP() << "a ring needs two ranks";
  }
  std::vector<double> values(200'000, world().rank());
  std::vector<double> received(values.size());
  const int next = (world().rank() + 1) % size;
  const int previous = (world().rank() + size - 1) % size;
  // Even ranks send first: messages of this length do not leave before they are received.
  if (world().rank() % 2 == 0) {
    world().send(view_of(values), next, 7);
  }
  world().receive(view_of(received), previous, 7);
  if (world().rank() % 2 == 1) {
    world().send(view_of(values), next, 7);
  }
  EXPECT_EQ(std::count(received.begin(), received.end(), static_cast<double>(previous)), 200'000);
}

TEST(Communicator, LongViewsTravelInPieces) {
  if (world().size() != 2) {
    GTEST_SKIP() << "run once, on two ranks: it takes half a gigabyte";
  }
  // More bytes than one MPI call is given.
  const std::size_t count = (std::size_t{1} << 28) + 12'345;
  std::vector<std::uint8_t> values(count, world().rank() == 0 ? 3 : 0);
  values.back() = world().rank() == 0 ? 7 : 0;
  world().broadcast(view_of(values), 0);
  EXPECT_EQ(values[count - 12'346], 3);
  EXPECT_EQ(values[count - 12'345], 3);
  EXPECT_EQ(values.back(), 7);
  if (world().rank() == 0) {
    std::fill(values.begin(), values.end(), std::uint8_t{9});
    world().send(view_of(values), 1, 5);
  } else {
    world().receive(view_of(values), 0, 5);
    EXPECT_EQ(values.front(), 9);
    EXPECT_EQ(values.back(), 9);
  }
}

TEST(Communicator, SplitsByColorAndOrdersByKey) {
  const int rank = world().rank();
  const auto group = world().split(rank == 0 ? -1 : rank % 2, -rank, "group");
  EXPECT_EQ(group == nullptr, rank == 0);
  if (group) {
    EXPECT_EQ(group->name(), "group");
    EXPECT_EQ(all_max(*group, std::int64_t{rank % 2}), rank % 2);
    // The highest world rank comes first.
    std::vector<std::int64_t> first{rank};
    group->broadcast(view_of(first), 0);
    EXPECT_EQ(all_max(*group, std::int64_t{rank}), first[0]);
  }
  const auto copy = world().duplicate("copy");
  EXPECT_EQ(copy->rank(), rank);
  EXPECT_EQ(copy->size(), world().size());
}

TEST(Communicator, ErrorsCarryTheTextOfMpi) {
  std::vector<float> values(1);
  try {
    world().send(view_of(values), world().size() + 5, 0);
    ADD_FAILURE() << "a rank that does not exist was accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("MPI_Isend failed: MPI_ERR_RANK"));
  }
}

TEST(Mailbox, KeepsTheOrderOfEachSender) {
  constexpr int messages = 50;
  Mailbox mailbox(world(), 11);
  Mailbox other(world(), 12);
  for (int number = 0; number < messages; ++number) {
    for (int destination = 0; destination < world().size(); ++destination) {
      // Lengths from nothing to above the eager limit.
      mailbox.post(destination, bytes_of(std::string(static_cast<std::size_t>(number) * 777, 'm')));
    }
  }
  other.post(0, bytes_of("another tag"));
  std::vector<int> next(static_cast<std::size_t>(world().size()), 0);
  for (int received = 0; received < messages * world().size(); ++received) {
    const Message message = mailbox.receive("test messages");
    int& number = next[static_cast<std::size_t>(message.source)];
    EXPECT_EQ(message.bytes.size(), static_cast<std::size_t>(number) * 777);
    ++number;
  }
  EXPECT_FALSE(mailbox.try_receive().has_value());
  mailbox.flush();
  EXPECT_EQ(mailbox.pending(), 0U);
  if (world().rank() == 0) {
    for (int rank = 0; rank < world().size(); ++rank) {
      EXPECT_EQ(text_of(other.receive("test messages").bytes), "another tag");
    }
  }
  other.flush();
  world().barrier();
}

TEST(Collectively, PassesValuesThrough) {
  EXPECT_EQ(collectively(world(), [] { return test_session().rank(); }), world().rank());
  const auto owned = collectively(world(), [] { return std::make_unique<int>(5); });
  EXPECT_EQ(*owned, 5);
  int calls = 0;
  collectively(world(), [&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(Collectively, AllRanksThrowTheLowestFailure) {
  const int last = world().size() - 1;
  // The last rank alone; then all ranks from 1 on, or the only one there is.
  for (const int lowest : {last, std::min(1, last)}) {
    try {
      collectively(world(), [&] {
        if (world().rank() >= lowest) {
          fail_usage("rank {} does not like its deck", world().rank());
        }
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const AgreedError& error) {
      EXPECT_EQ(error.what(), fmt::format("rank {} does not like its deck", lowest));
      EXPECT_EQ(error.status(), ExitStatus::usage);
      EXPECT_EQ(error.rank(), lowest);
      EXPECT_EQ(error.ranks(), world().size());
    }
  }
}

TEST(Collectively, RankZeroMayBeTheOneThatFails) {
  try {
    static_cast<void>(collectively(world(), [&]() -> std::string {
      require(world().rank() != 0, "the file is not there");
      return "read";
    }));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const AgreedError& error) {
    EXPECT_STREQ(error.what(), "the file is not there");
    EXPECT_EQ(error.status(), ExitStatus::failed);
    EXPECT_EQ(error.rank(), 0);
  }
}

TEST(Collectively, OtherExceptionsAndLongMessagesAreCarried) {
  const std::string umlauts = [] {
    std::string text;
    for (int i = 0; i < 5'000; ++i) {
      text += "\u00e4";
    }
    return text;
  }();
  try {
    collectively(world(), [&] { throw std::out_of_range("x" + umlauts); });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const AgreedError& error) {
    const std::string message = error.what();
    EXPECT_LT(message.size(), 4'100U);
    // One letter and whole characters of two bytes.
    EXPECT_EQ(message.find(" [...]") % 2, 1U);
  }
  EXPECT_THROW(collectively(world(), [] { throw std::bad_alloc(); }), AgreedError);
}

TEST(WaitUntil, IsAnOperationOfTheRecord) {
  int asked = 0;
  const std::int64_t before = world().progress().sequence();
  wait_until(world(), "the third answer", [&] {
    EXPECT_EQ(world().progress().state(), ProgressRecord::State::waiting);
    EXPECT_EQ(world().progress().operation(), "the third answer");
    EXPECT_EQ(world().progress().communicator(), "world");
    return ++asked == 3;
  });
  EXPECT_EQ(world().progress().sequence(), before + 1);
  EXPECT_EQ(world().progress().state(), ProgressRecord::State::computing);
}

TEST(Watchdog, RefusesTimesThatAreNone) {
  for (const double seconds : {-1.0, std::nan(""), HUGE_VAL}) {
    EXPECT_THROW(Watchdog(test_session(), seconds), UsageError);
  }
}

TEST(MpiSession, RanksOfANodeSeeEachOther) {
  ProgressBoard& board = test_session().board();
  EXPECT_EQ(board.size(), test_session().node_size());
  world().progress().tick(fmt::format("phase of rank {}", world().rank()));
  world().barrier();
  for (int mate = 0; mate < board.size(); ++mate) {
    const ProgressRecord& record = board.of_node_rank(mate);
    EXPECT_EQ(record.phase(), fmt::format("phase of rank {}", record.rank()));
    EXPECT_EQ(state_of(record.process()), ProcessState::running);
    EXPECT_EQ(record.host(), test_session().host());
  }
  world().barrier();
}

TEST(ProcessGrid, GroupsRanksByAxis) {
  const int size = world().size();
  const GridShape shape = size == 4 ? GridShape{2, 1, 2} : GridShape{size, 1, 1};
  ProcessGrid grid(world().duplicate("learner"), shape, "learner");
  EXPECT_EQ(grid.coordinates(), coordinates_of(world().rank(), shape));
  EXPECT_EQ(grid.dp().size(), shape.dp);
  EXPECT_EQ(grid.pp().size(), shape.pp);
  EXPECT_EQ(grid.tp().size(), shape.tp);
  EXPECT_EQ(grid.dp().rank(), grid.coordinates().dp);
  EXPECT_EQ(grid.tp().rank(), grid.coordinates().tp);
  EXPECT_EQ(grid.dp().name(), "learner.dp");
  EXPECT_EQ(all_max(grid.tp(), std::int64_t{grid.coordinates().dp}), grid.coordinates().dp);
  EXPECT_EQ(all_max(grid.dp(), std::int64_t{grid.coordinates().tp}), grid.coordinates().tp);
  EXPECT_THROW(ProcessGrid(world().duplicate("learner"), {size + 1, 1, 1}, "learner"), UsageError);
}

TEST(RoleLayout, MakesTheGridOfEachRole) {
  if (world().size() < 3) {
    GTEST_SKIP() << "dedicated roles need three ranks";
  }
  const RoleLayout layout = plan_roles(Placement::dedicated, {}, world().size());
  const auto rollout = make_role_grid(world(), layout.rollout, "rollout");
  const auto reward = make_role_grid(world(), layout.reward, "reward");
  const auto learner = make_role_grid(world(), layout.learner, "learner");
  EXPECT_EQ((rollout ? 1 : 0) + (reward ? 1 : 0) + (learner ? 1 : 0), 1);
  EXPECT_EQ(rollout != nullptr, layout.rollout.contains(world().rank()));
  EXPECT_EQ(learner != nullptr, layout.learner.contains(world().rank()));
}

TEST(Agreement, OfEqualFactsInAnyOrderIsSilent) {
  const bool even = world().rank() % 2 == 0;
  const Fact steps{"train.steps", "12"};
  const Fact long_one{"data.train", std::string(1 << 20, 'x')};
  agree_on(world(), even ? std::vector{steps, long_one} : std::vector{long_one, steps}, "");
  agree_on(world(), {}, "");
}

TEST(Agreement, NamesTheLowestRankThatDiffersAndBothValues) {
  const int rank = world().rank();
  const std::vector<Fact> mine{{"seed", "1"},
                               {"train.steps", rank == 0 ? "12" : "24"},
                               {"train.text", rank == 0 ? "" : std::string(1000, 'y')},
                               {rank == 0 ? "only.first" : "only.others", "z"}};
  std::string message;
  try {
    agree_on(world(), mine, "Look at the nodes.");
  } catch (const AgreedError& error) {
    message = error.what();
    EXPECT_EQ(error.rank(), 1);
    EXPECT_EQ(error.status(), ExitStatus::failed);
  }
  if (world().size() == 1) {
    EXPECT_EQ(message, "");
    return;
  }
  const std::string host = world().progress().host();
  EXPECT_THAT(message, testing::StartsWith(fmt::format(
                           "Train.steps is 12 on rank 0 (host {0}) and 24 on rank 1 (host {0}); "
                           "train.text is empty on rank 0",
                           host)));
  EXPECT_THAT(message, HasSubstr("yyy... on rank 1"));
  EXPECT_THAT(message, HasSubstr("only.first is z on rank 0"));
  EXPECT_THAT(message, HasSubstr("; and 1 more differ. Look at the nodes."));
  EXPECT_LT(message.size(), 1000U);
}

TEST(MpiCommunicator, IsNotFreedWhileAnExceptionIsOnItsWay) {
  // A rank that fails alone must not wait for the others: here none of them frees.
  try {
    const auto copy = world().duplicate("unwound");
    throw Error("a failure");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "a failure");
  }
  world().barrier();
}

}  // namespace
}  // namespace precis
