// Ranks that do not agree on the size of a collective: no rank gets a result of both sizes, and the
// error names operation, group and ranks.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "kernels/cpu/kernels.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

/// Elements of four bytes that all ranks give but one, and that this one gives: nothing, some,
/// many. A part for each of 2, 3 or 4 ranks.
constexpr std::pair<std::int64_t, std::int64_t> sizes[]{
    {0, 12}, {12, 0}, {1200, 1212}, {1212, 1200}, {12, 120'000}, {120'000, 12}, {120'000, 120'012}};

class DifferentSizes : public testing::Test {
 protected:
  void SetUp() override {
    if (world.size() == 1) {
      GTEST_SKIP() << "needs another rank";
    }
  }

  /// What an operation says, on ranks that are used for nothing after it; empty: it was complete.
  using Operation = std::function<void(Communicator& ranks)>;
  std::string said_by(const Operation& operation) {
    std::string said;
    try {
      // Left as they are by the exception: messages that nobody took may be on their way.
      const auto group = world.duplicate("training.tp");
      MpiCommunicator ranks(*group);
      operation(ranks);
    } catch (const Error& error) {
      said = error.what();
    }
    world.barrier();
    return said;
  }

  /// By every rank, whichever is the odd one.
  void expect_refused(
      const std::string& name,
      const std::function<void(Communicator& ranks, std::int64_t count)>& operation) {
    for (const auto& [most, one] : sizes) {
      for (int odd = 0; odd < world.size(); ++odd) {
        const std::int64_t mine = world.rank() == odd ? one : most;
        EXPECT_THAT(said_by([&](Communicator& ranks) { operation(ranks, mine); }),
                    HasSubstr(fmt::format("{} on 'training.tp': the ranks gave views of different "
                                          "sizes, from {} to {} bytes.",
                                          name, 4 * std::min(most, one), 4 * std::max(most, one))))
            << most << " elements, but " << one << " on rank " << odd;
      }
    }
  }

  RankGroup& world = test_session().world();
  Queue queue = cpu::backend.make_queue();
};

TEST_F(DifferentSizes, OfAnAllReduceAreRefusedByEveryRank) {
  expect_refused("All-reduce", [&](Communicator& ranks, std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    ranks.all_reduce(queue, view_of(values), Reduction::sum);
  });
}

TEST_F(DifferentSizes, OfAnAllGatherAreRefusedByEveryRank) {
  expect_refused("All-gather", [&](Communicator& ranks, std::int64_t count) {
    std::vector<float> all(static_cast<std::size_t>(count));
    const std::vector<float> mine(static_cast<std::size_t>(count / ranks.size()));
    ranks.all_gather(queue, view_of(all), view_of(mine));
  });
}

TEST_F(DifferentSizes, OfAReduceScatterAreRefusedByEveryRank) {
  expect_refused("Reduce-scatter", [&](Communicator& ranks, std::int64_t count) {
    const std::vector<float> all(static_cast<std::size_t>(count));
    std::vector<float> mine(static_cast<std::size_t>(count / ranks.size()));
    ranks.reduce_scatter(queue, view_of(mine), view_of(all), Reduction::sum);
  });
}

TEST_F(DifferentSizes, OfABroadcastAreRefusedByEveryRank) {
  for (int root = 0; root < world.size(); ++root) {
    expect_refused("Broadcast", [&](Communicator& ranks, std::int64_t count) {
      std::vector<float> values(static_cast<std::size_t>(count));
      ranks.broadcast(queue, view_of(values), root);
    });
  }
}

TEST_F(DifferentSizes, OfStartedOperationsAreRefusedByEveryRank) {
  // So short that MPI, which has begun already, cannot write beyond the views.
  for (const bool reduce : {true, false}) {
    std::vector<float> values(64);
    const View mine = view_of(values).rows(0, world.rank() == 0 ? 12 : 24);
    EXPECT_THAT(
        said_by([&](Communicator& ranks) {
          (reduce ? ranks.start_all_reduce(queue, mine, Reduction::sum)
                  : ranks.start_broadcast(queue, mine, 0))
              .wait();
        }),
        HasSubstr("on 'training.tp': the ranks gave views of different sizes, from 48 to 96 "
                  "bytes."));
  }
}

TEST_F(DifferentSizes, NorAreOtherArguments) {
  std::vector<float> values(12);
  EXPECT_THAT(said_by([&](Communicator& ranks) {
                ranks.all_reduce(queue, view_of(values),
                                 world.rank() == 0 ? Reduction::sum : Reduction::max);
              }),
              HasSubstr("or gave other arguments"));
  EXPECT_THAT(said_by([&](Communicator& ranks) {
                ranks.broadcast(queue, view_of(values), world.rank() == 0 ? 0 : 1);
              }),
              HasSubstr("or gave other arguments"));
}

TEST_F(DifferentSizes, NorAreDifferentOperationsTakenForOne) {
  for (const std::int64_t count : {12, 120'000}) {
    std::vector<float> values(static_cast<std::size_t>(count));
    const std::vector<float> mine(static_cast<std::size_t>(count / world.size()));
    EXPECT_THAT(said_by([&](Communicator& ranks) {
                  if (world.rank() == 0) {
                    ranks.all_gather(queue, view_of(values), view_of(mine));
                  } else {
                    ranks.all_reduce(queue, view_of(values), Reduction::sum);
                  }
                }),
                HasSubstr("on 'training.tp': another rank is at another operation of the group"));
  }
}

}  // namespace
}  // namespace precis
