// The plan by which weights go from one grid to another: each number arrives once, no more is sent
// than must be, and those who have the same send the same.
#include "parallel/reshard.hpp"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "rlhf/drawn_grids.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t no_limit = std::int64_t{1} << 40;

/// visit(index in the whole tensor) for the elements of a box.
void for_each_element(const Shard& box, const std::function<void(std::int64_t)>& visit) {
  const std::int64_t columns = box.extent.size() == 2 ? box.extent[1] : 1;
  const std::int64_t width = box.extent.size() == 2 ? box.global_shape[1] : 1;
  const std::int64_t first = box.extent.size() == 2 ? box.offset[1] : 0;
  for (std::int64_t row = box.offset[0]; row < box.offset[0] + box.extent[0]; ++row) {
    for (std::int64_t column = first; column < first + columns; ++column) {
      visit(row * width + column);
    }
  }
}

/// How often each element of a tensor was met.
using Marks = std::vector<std::uint8_t>;

struct Plan {
  std::vector<RankBoxes> from, to;
  std::int64_t most = no_limit;
  std::vector<Move> moves;
};

const RankBoxes* find(std::span<const RankBoxes> all, int rank) {
  const auto found = std::ranges::find(all, rank, &RankBoxes::rank);
  return found == all.end() ? nullptr : &*found;
}

bool holds(const RankBoxes& rank, const std::string& name, const Shard& box) {
  return std::ranges::any_of(rank.boxes, [&](const NamedBox& held) {
    return held.name == name && held.box.contains(box);
  });
}

/// All promises of plan_moves but for the balance.
void expect_right(const Plan& plan) {
  std::map<int, std::vector<const Move*>> arriving;
  for (const Move& move : plan.moves) {
    ASSERT_FALSE(move.box.empty());
    EXPECT_TRUE(move.box.numel() <= plan.most || move.box.extent[0] == 1)
        << move.name << " " << to_string(move.box) << " in moves of " << plan.most;
    const RankBoxes* const giver = find(plan.from, move.from);
    ASSERT_TRUE(giver != nullptr && holds(*giver, move.name, move.box))
        << "rank " << move.from << " has no " << move.name << " " << to_string(move.box);
    arriving[move.to].push_back(&move);
  }
  for (const RankBoxes& receiver : plan.to) {
    const RankBoxes* const own = find(plan.from, receiver.rank);
    std::map<std::string, Marks> had, arrived;
    std::int64_t sent = 0;  // to this rank, by others
    for (const NamedBox& box : own == nullptr ? std::vector<NamedBox>{} : own->boxes) {
      Marks& marks = had[box.name];
      marks.resize(static_cast<std::size_t>(box.box.global_numel()));
      for_each_element(box.box, [&](std::int64_t i) { marks[static_cast<std::size_t>(i)] = 1; });
    }
    for (const Move* move : arriving[receiver.rank]) {
      Marks& marks = arrived[move->name];
      marks.resize(static_cast<std::size_t>(move->box.global_numel()));
      for_each_element(move->box, [&](std::int64_t i) { ++marks[static_cast<std::size_t>(i)]; });
      sent += move->from == move->to ? 0 : move->box.numel();
    }
    std::int64_t least = 0;  // what this rank needs and does not have itself
    std::int64_t wrong = 0;
    for (const NamedBox& needed : receiver.boxes) {
      Marks& marks = arrived[needed.name];
      marks.resize(static_cast<std::size_t>(needed.box.global_numel()));
      const Marks& held = had[needed.name];
      for_each_element(needed.box, [&](std::int64_t i) {
        const auto at = static_cast<std::size_t>(i);
        wrong += marks[at] == 1 ? 0 : 1;
        marks[at] = 0;
        least += held.empty() || held[at] == 0 ? 1 : 0;
      });
    }
    EXPECT_EQ(wrong, 0) << "elements that rank " << receiver.rank << " does not get once";
    for (const auto& [name, marks] : arrived) {
      EXPECT_TRUE(std::ranges::all_of(marks, [](auto mark) { return mark == 0; }))
          << "rank " << receiver.rank << " gets more of " << name << " than it needs";
    }
    EXPECT_EQ(sent, least) << "elements that rank " << receiver.rank << " gets from others";
  }
}

std::string key_of(const RankBoxes& rank) {
  std::string key;
  for (const NamedBox& box : rank.boxes) {
    Shard shard = box.box;
    shard.replica = 0;
    key += box.name + to_string(shard) + "\n";
  }
  return key;
}

/// Each move goes to the rank that has sent least of those that can give it. So of ranks that have
/// the same boxes none sends more than another by more than one move, whatever the others have.
void expect_balanced(const Plan& plan) {
  std::map<int, std::int64_t> sent;
  std::int64_t largest = 0;
  for (const Move& move : plan.moves) {
    if (move.from != move.to) {
      sent[move.from] += move.box.numel();
      largest = std::max(largest, move.box.numel());
    }
  }
  std::map<std::string, std::vector<std::int64_t>> alike;
  for (const RankBoxes& rank : plan.from) {
    alike[key_of(rank)].push_back(sent[rank.rank]);
  }
  for (const auto& [key, of_ranks] : alike) {
    const auto [least, most] = std::ranges::minmax(of_ranks);
    EXPECT_LE(most - least, largest) << fmt::format("{}", fmt::join(of_ranks, ", "));
  }
}

/// The boxes of a grid whose rank i has the number `numbers[i]`.
std::vector<RankBoxes> boxes_of(const DrawnGrid& grid, std::span<const std::int64_t> numbers) {
  std::vector<RankBoxes> all;
  for (std::size_t i = 0; i < grid.specs.size(); ++i) {
    RankBoxes& rank =
        all.emplace_back(RankBoxes{.rank = static_cast<int>(numbers[i]), .boxes = {}});
    for (const ParameterSpec& spec : grid.specs[i]) {
      rank.boxes.push_back({spec.name, spec.shard});
    }
  }
  return all;
}

TEST(PlanMoves, BetweenRandomGrids) {
  const std::vector<ModelConfig> models = uneven_models();
  int stages_on_one_side = 0;
  int cuts = 0;
  int local = 0;
  for (std::uint64_t pair = 0; pair < 200; ++pair) {
    RandomStream draws(11, Purpose::testing, pair);
    const ModelConfig& config = models[pair % models.size()];
    const DrawnGrid from = draw_grid(draws, config, 1 + static_cast<int>(draws.below(8)));
    const DrawnGrid to = draw_grid(draws, config, 1 + static_cast<int>(draws.below(8)));
    // On the same ranks each role has them in an order of its own.
    const bool same_ranks = pair % 2 == 0;
    const std::vector<std::int64_t> numbers =
        permutation(same_ranks ? 8 : 16, 12, Purpose::testing, pair);
    const std::vector<std::int64_t> others =
        same_ranks ? permutation(8, 13, Purpose::testing, pair)
                   : std::vector<std::int64_t>(numbers.begin() + 8, numbers.end());
    const std::int64_t limits[]{1, 7, 100, 3'000, no_limit};
    Plan plan{.from = boxes_of(from, numbers),
              .to = boxes_of(to, others),
              .most = limits[draws.below(5)],
              .moves = {}};
    plan.moves = plan_moves(plan.from, plan.to, plan.most);
    SCOPED_TRACE(fmt::format("pair {}: model {}, {} -> {}, {} ranks, most {}", pair,
                             pair % models.size(), from.text(), to.text(),
                             same_ranks ? "the same" : "other", plan.most));
    expect_right(plan);
    expect_balanced(plan);
    const auto within =
        std::ranges::count_if(plan.moves, [](const Move& move) { return move.from == move.to; });
    EXPECT_TRUE(same_ranks || within == 0);
    local += within > 0 ? 1 : 0;
    cuts += from.cut == to.cut ? 0 : 1;
    stages_on_one_side += (from.shape.pp == 1) == (to.shape.pp == 1) ? 0 : 1;
  }
  EXPECT_GT(stages_on_one_side, 20);
  EXPECT_GT(cuts, 20);
  EXPECT_GT(local, 50);
}

Shard box(Extents shape, Extents offset, Extents extent) {
  return {
      .global_shape = std::move(shape), .offset = std::move(offset), .extent = std::move(extent)};
}

/// Boxes that no grid makes: they overlap, and leave some elements to nobody.
TEST(PlanMoves, BetweenAnyBoxesOrAnError) {
  int refused = 0;
  for (std::uint64_t trial = 0; trial < 400; ++trial) {
    SCOPED_TRACE(trial);
    RandomStream draws(14, Purpose::testing, trial);
    const Extents shape{1 + draws.below(9), 1 + draws.below(9)};
    const auto some_box = [&] {
      Shard some = box(shape, {0, 0}, {0, 0});
      for (std::size_t axis = 0; axis < 2; ++axis) {
        const auto size = static_cast<std::uint32_t>(shape[axis]);
        some.offset[axis] = draws.below(size);
        some.extent[axis] = draws.below(size + 1 - static_cast<std::uint32_t>(some.offset[axis]));
      }
      return some;
    };
    Plan plan{.from = {}, .to = {}, .most = 1 + draws.below(20), .moves = {}};
    Marks held(static_cast<std::size_t>(shape[0] * shape[1]));
    for (int rank = 0; rank < 6; ++rank) {
      const Shard has = rank == 0 && trial % 2 == 0 ? whole(shape) : some_box();
      plan.from.push_back({rank, {{"t", has}}});
      for_each_element(has, [&](std::int64_t i) { held[static_cast<std::size_t>(i)] = 1; });
      plan.to.push_back({rank + static_cast<int>(draws.below(2)) * 10, {{"t", some_box()}}});
    }
    bool covered = true;
    for (const RankBoxes& receiver : plan.to) {
      for_each_element(receiver.boxes[0].box, [&](std::int64_t i) {
        covered = covered && held[static_cast<std::size_t>(i)] == 1;
      });
    }
    if (!covered) {
      EXPECT_THROW((void)plan_moves(plan.from, plan.to, plan.most), Error);
      ++refused;
      continue;
    }
    plan.moves = plan_moves(plan.from, plan.to, plan.most);
    expect_right(plan);
  }
  EXPECT_GT(refused, 20);
  EXPECT_LT(refused, 200);
}

TEST(PlanMoves, NameWhatNobodyHas) {
  // All but the element (3, 2).
  const std::vector<RankBoxes> from{
      {0, {{"a", whole({4})}, {"mlp/up", box({5, 4}, {0, 0}, {3, 4})}}},
      {1, {{"mlp/up", box({5, 4}, {4, 0}, {1, 4})}, {"mlp/up", box({5, 4}, {3, 0}, {1, 2})}}},
      {2, {{"mlp/up", box({5, 4}, {3, 3}, {1, 1})}}}};
  const auto message = [&](const RankBoxes& receiver) -> std::string {
    try {
      (void)plan_moves(from, std::vector{receiver}, no_limit);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message({7, {{"a", whole({4})}, {"mlp/up", whole({5, 4})}}}),
              AllOf(HasSubstr("mlp/up: rank 7 needs [3:4, 2:3] of (5, 4)"), HasSubstr("no rank")));
  EXPECT_THAT(message({2, {{"b", whole({4})}}}), HasSubstr("b: rank 2 needs [0:4] of (4)"));
  EXPECT_EQ(message({7, {{"mlp/up", box({5, 4}, {3, 0}, {2, 2})}}}), "");
  EXPECT_EQ(message({7, {{"b", box({4}, {2}, {0})}}}), "") << "nothing is needed of it";
}

TEST(PlanMoves, FourCopiesSendAQuarterEachToEachReceiver) {
  std::vector<RankBoxes> from;
  for (int rank = 0; rank < 4; ++rank) {
    from.push_back({rank, {{"t", whole({64, 10})}}});
  }
  const std::vector<RankBoxes> to{{4, from[0].boxes}, {5, from[0].boxes}, {2, from[0].boxes}};
  std::map<std::pair<int, int>, std::int64_t> sent;
  for (const Move& move : plan_moves(from, to, 40)) {
    sent[{move.from, move.to}] += move.box.numel();
  }
  std::map<std::pair<int, int>, std::int64_t> expected{{{2, 2}, 640}};
  for (const int receiver : {4, 5}) {
    for (int giver = 0; giver < 4; ++giver) {
      expected[{giver, receiver}] = 160;
    }
  }
  EXPECT_EQ(sent, expected);
}

}  // namespace
}  // namespace precis
