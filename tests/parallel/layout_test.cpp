// Grids and roles as arithmetic, without MPI.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "parallel/role_layout.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

template <class F>
std::string usage_error_of(F f) {
  try {
    f();
  } catch (const UsageError& error) {
    EXPECT_EQ(error.status(), ExitStatus::usage);
    return error.what();
  }
  ADD_FAILURE() << "no UsageError was thrown";
  return {};
}

TEST(GridShape, ParsesAxesInAnyOrder) {
  EXPECT_EQ(parse_grid("dp=2,pp=1,tp=2", "grid"), (GridShape{2, 1, 2}));
  EXPECT_EQ(parse_grid(" tp = 4 , dp=3", "grid"), (GridShape{3, 1, 4}));
  EXPECT_EQ(parse_grid("pp=5", "grid"), (GridShape{1, 5, 1}));
  EXPECT_EQ(to_string(parse_grid("pp=5", "grid")), "dp=1,pp=5,tp=1");
}

TEST(GridShape, RefusesWhatIsNotAGrid) {
  for (const char* text :
       {"", "dp", "dp=", "dp=0", "dp=-1", "dp=2x", "dp=1.5", "dp=2,", "sp=2", "DP=2", "dp=2,dp=2",
        "dp=2;tp=2", "dp=99999999999", "dp=nan", "dp=1000000,tp=1000000,pp=1000000"}) {
    const std::string message =
        usage_error_of([&] { static_cast<void>(parse_grid(text, "learner.grid")); });
    EXPECT_THAT(message, HasSubstr("learner.grid")) << text;
  }
}

TEST(GridShape, TensorParallelismVariesFastest) {
  const GridShape grid{.dp = 2, .pp = 3, .tp = 4};
  EXPECT_EQ(coordinates_of(0, grid), (GridCoordinates{0, 0, 0}));
  EXPECT_EQ(coordinates_of(1, grid), (GridCoordinates{0, 0, 1}));
  EXPECT_EQ(coordinates_of(4, grid), (GridCoordinates{0, 1, 0}));
  EXPECT_EQ(coordinates_of(12, grid), (GridCoordinates{1, 0, 0}));
  for (int rank = 0; rank < 24; ++rank) {
    EXPECT_EQ(rank_of(coordinates_of(rank, grid), grid), rank);
  }
}

TEST(GridShape, MisfitShowsArithmeticAndTwoLayouts) {
  EXPECT_NO_THROW(require_grid_fits({2, 1, 2}, 4, "grid"));
  EXPECT_THAT(
      usage_error_of([] {
        require_grid_fits({2, 1, 2}, 8, "grid");
      }),
      AllOf(HasSubstr("dp 2 x pp 1 x tp 2 = 4 ranks, but 8 were started"),
            HasSubstr("dp=4,pp=1,tp=2 on 8 ranks"), HasSubstr("dp=2,pp=1,tp=4 on 8 ranks")));
  EXPECT_THAT(
      usage_error_of([] {
        require_grid_fits({2, 1, 1}, 3, "grid");
      }),
      AllOf(HasSubstr("= 2 ranks, but 3 were started"), HasSubstr("dp=3,pp=1,tp=1 on 3 ranks"),
            HasSubstr("dp=2,pp=1,tp=1 on 2 ranks")));
  EXPECT_THAT(usage_error_of([] {
                require_grid_fits({2, 1, 1}, 1, "grid");
              }),
              HasSubstr("but 1 was started"));
}

TEST(RoleLayout, ColocatedPutsEveryRoleOnAllRanks) {
  const RoleLayout layout = plan_roles(Placement::colocated, {}, 3);
  for (const RoleRanks* role : {&layout.rollout, &layout.reward, &layout.learner}) {
    EXPECT_EQ(role->grid, (GridShape{3, 1, 1}));
    EXPECT_THAT(role->ranks, ElementsAre(0, 1, 2));
  }
  const RoleLayout mixed = plan_roles(
      Placement::colocated, {.grid = GridShape{4, 1, 1}, .learner = GridShape{2, 1, 2}}, 4);
  EXPECT_EQ(mixed.rollout.grid, (GridShape{4, 1, 1}));
  EXPECT_EQ(mixed.learner.grid, (GridShape{2, 1, 2}));
  EXPECT_THROW(
      static_cast<void>(plan_roles(Placement::colocated, {.rollout = GridShape{2, 1, 1}}, 4)),
      UsageError);
}

TEST(RoleLayout, DedicatedDefaultsUseEveryRank) {
  const auto sizes = [](int ranks) {
    const RoleLayout layout = plan_roles(Placement::dedicated, {}, ranks);
    return std::vector<std::size_t>{layout.rollout.ranks.size(), layout.reward.ranks.size(),
                                    layout.learner.ranks.size()};
  };
  EXPECT_THAT(sizes(3), ElementsAre(1, 1, 1));
  EXPECT_THAT(sizes(4), ElementsAre(2, 1, 1));
  EXPECT_THAT(sizes(5), ElementsAre(3, 1, 1));
  EXPECT_THAT(sizes(8), ElementsAre(4, 2, 2));
  EXPECT_THAT(sizes(13), ElementsAre(7, 3, 3));
}

TEST(RoleLayout, DedicatedRanksFollowTheOrderOfRoles) {
  const RoleLayout layout = plan_roles(Placement::dedicated, {.learner = GridShape{2, 1, 1}}, 6);
  EXPECT_THAT(layout.rollout.ranks, ElementsAre(0, 1, 2));
  EXPECT_THAT(layout.reward.ranks, ElementsAre(3));
  EXPECT_THAT(layout.learner.ranks, ElementsAre(4, 5));
  EXPECT_TRUE(layout.learner.contains(5));
  EXPECT_FALSE(layout.learner.contains(3));
  EXPECT_EQ(describe(layout),
            "dedicated: rollout dp=3,pp=1,tp=1 on ranks 0-2, reward dp=1,pp=1,tp=1 on rank 3, "
            "learner dp=2,pp=1,tp=1 on ranks 4-5");
}

TEST(RoleLayout, DedicatedMisfitShowsTheArithmetic) {
  const RoleGrids given{
      .rollout = GridShape{2, 1, 1}, .reward = GridShape{1, 1, 1}, .learner = GridShape{2, 1, 1}};
  EXPECT_THAT(
      usage_error_of([&] { static_cast<void>(plan_roles(Placement::dedicated, given, 4)); }),
      AllOf(HasSubstr("rollout 2 + reward 1 + learner 2 = 5 ranks, but 4 were started"),
            HasSubstr("(5 ranks)"), HasSubstr("(4 ranks)")));
  EXPECT_THAT(
      usage_error_of([&] { static_cast<void>(plan_roles(Placement::dedicated, given, 6)); }),
      AllOf(HasSubstr("= 5 ranks, but 6 were started"), HasSubstr("(6 ranks)")));
  EXPECT_THAT(usage_error_of([] { static_cast<void>(plan_roles(Placement::dedicated, {}, 2)); }),
              AllOf(HasSubstr("= 3 ranks, but 2 were started"), HasSubstr("colocated on 2 ranks")));
  EXPECT_THAT(
      usage_error_of([] {
        static_cast<void>(plan_roles(Placement::dedicated, {.grid = GridShape{4, 1, 1}}, 4));
      }),
      HasSubstr("rollout.grid"));
}

TEST(Placement, HasTwoNames) {
  EXPECT_EQ(parse_placement("colocated"), Placement::colocated);
  EXPECT_EQ(parse_placement("dedicated"), Placement::dedicated);
  EXPECT_THAT(usage_error_of([] { static_cast<void>(parse_placement("shared")); }),
              HasSubstr("shared"));
}

}  // namespace
}  // namespace precis
