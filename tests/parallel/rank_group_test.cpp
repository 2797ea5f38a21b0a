// Groups, what they agree on, and messages between the ranks of mpirun.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "kernels/cpu/kernels.hpp"
#include "parallel/agreement.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mailbox.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"
#include "parallel/role_layout.hpp"
#include "parallel/waiting.hpp"
#include "parallel/watchdog.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RankGroup& world() { return test_session().world(); }

Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(RankGroup, ReducesNumbers) {
  const int size = world().size();
  const int rank = world().rank();
  std::array<double, 3> sums{0.5, 1.0 * rank, -2.0};
  world().all_reduce(sums, Reduction::sum);
  EXPECT_THAT(sums, ElementsAre(0.5 * size, 0.5 * size * (size - 1), -2.0 * size));
  std::array<std::int64_t, 2> most{rank, -rank};
  std::array<std::int64_t, 2> least = most;
  world().all_reduce(most, Reduction::max);
  world().all_reduce(least, Reduction::min);
  EXPECT_THAT(most, ElementsAre(size - 1, 0));
  EXPECT_THAT(least, ElementsAre(0, 1 - size));
  world().all_reduce(std::span<double>(), Reduction::sum);

  EXPECT_EQ(all_sum(world(), 0.5), 0.5 * size);
  EXPECT_EQ(all_sum(world(), std::int64_t{1} << 40), std::int64_t{size} << 40);
  EXPECT_EQ(all_max(world(), -1.0 * rank), 0.0);
}

TEST(RankGroup, BroadcastsFromEveryRoot) {
  for (int root = 0; root < world().size(); ++root) {
    // Below and above the length from which the blocking collective is used.
    for (const std::size_t count : {1, 300'000}) {
      Bytes bytes(count, static_cast<std::byte>(world().rank()));
      world().broadcast(bytes, root);
      EXPECT_EQ(std::count(bytes.begin(), bytes.end(), static_cast<std::byte>(root)),
                static_cast<std::ptrdiff_t>(count));
    }
    const std::string mine(static_cast<std::size_t>(world().rank() + 1) * 3, 'x');
    EXPECT_EQ(world().broadcast_text(mine, root).size(), static_cast<std::size_t>(root + 1) * 3);
  }
  EXPECT_EQ(world().broadcast_text("", 0), "");
  Bytes one(1);
  EXPECT_THROW(world().broadcast(one, world().size()), Error);
}

TEST(RankGroup, WithoutMpiGivesBackWhatItGot) {
  ProgressRecord record;
  WorkLog work;
  RankGroup ranks(2, 5, "planned", record, work);
  EXPECT_EQ(all_sum(ranks, 1.5), 1.5);
  ranks.barrier();
  const auto parts = ranks.all_gather(bytes_of("mine"));
  EXPECT_EQ(parts.size(), 5U);
  EXPECT_EQ(text_of(parts[2]), "mine");
  EXPECT_TRUE(parts[3].empty());
  EXPECT_EQ(ranks.broadcast_text("mine", 4), "mine");
  EXPECT_THROW(static_cast<void>(ranks.split(0, 0, "part")), Error);
}

TEST(RankGroup, GathersBytesOfUnequalLength) {
  // Rank 0 gives nothing.
  const std::string mine(static_cast<std::size_t>(world().rank()) * 1000,
                         static_cast<char>('a' + world().rank()));
  // In one call of MPI, and in many, the last of which some ranks have nothing for.
  for (const std::int64_t most_at_once : {1 << 20, 999, 1}) {
    const std::vector<Bytes> parts = world().all_gather(bytes_of(mine), most_at_once);
    EXPECT_EQ(parts.size(), static_cast<std::size_t>(world().size()));
    for (std::size_t rank = 0; rank < parts.size(); ++rank) {
      EXPECT_EQ(text_of(parts[rank]),
                std::string(rank * 1000, static_cast<char>('a' + static_cast<int>(rank))));
    }
  }
}

TEST(RankGroup, SplitsByColorAndOrdersByKey) {
  const int rank = world().rank();
  const auto group = world().split(rank == 0 ? -1 : rank % 2, -rank, "group");
  EXPECT_EQ(group == nullptr, rank == 0);
  if (group) {
    EXPECT_EQ(group->name(), "group");
    EXPECT_EQ(all_max(*group, std::int64_t{rank % 2}), rank % 2);
    // The highest world rank comes first.
    std::int64_t first = rank;
    group->broadcast(std::as_writable_bytes(std::span(&first, 1)), 0);
    EXPECT_EQ(all_max(*group, std::int64_t{rank}), first);
  }
  const auto copy = world().duplicate("copy");
  EXPECT_EQ(copy->rank(), rank);
  EXPECT_EQ(copy->size(), world().size());
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
  EXPECT_EQ(all_max(grid.tp().group(), std::int64_t{grid.coordinates().dp}), grid.coordinates().dp);
  EXPECT_EQ(all_max(grid.dp().group(), std::int64_t{grid.coordinates().tp}), grid.coordinates().tp);
  Queue queue = cpu::backend.make_queue();
  std::vector<std::int64_t> sums{grid.coordinates().dp, grid.coordinates().tp};
  grid.dp().all_reduce(queue, view_of(sums), Reduction::sum);
  EXPECT_THAT(sums, ElementsAre(shape.dp * (shape.dp - 1) / 2, shape.dp * grid.coordinates().tp));
  EXPECT_THROW(ProcessGrid(world().duplicate("learner"), {size + 1, 1, 1}, "learner"), UsageError);
}

TEST(RoleLayout, MakesTheGridOfEachRole) {
  if (world().size() < 3) {
    GTEST_SKIP() << "dedicated roles need three ranks";
  }
  const RoleLayout layout = plan_roles(Placement::dedicated, {}, world().size());
  const auto [rollout, reward, learner] = start_roles(world(), layout);
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

TEST(RankGroup, IsNotFreedWhileAnExceptionIsOnItsWay) {
  // A rank that fails alone must not wait for the others: here none of them frees.
  try {
    const auto copy = world().duplicate("unwound");
    const MpiCommunicator data(*copy);
    throw Error("a failure");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "a failure");
  }
  world().barrier();
}

TEST(Mailbox, IsLeftAsItIsWhileAnExceptionIsOnItsWay) {
  if (world().size() == 1) {
    GTEST_SKIP() << "needs another rank";
  }
  const auto copy = world().duplicate("left messages");
  try {
    Mailbox mailbox(*copy, 3);
    // Longer than what leaves without a receiver, and received by nobody.
    mailbox.post((copy->rank() + 1) % copy->size(), Bytes(1 << 20));
    throw Error("a failure");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "a failure");
  }
  world().barrier();
}

}  // namespace
}  // namespace precis
