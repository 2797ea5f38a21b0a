// One result for every layout: three steps of each training on grids of ranks have the bits of one
// rank, in losses, norms, every gradient and every parameter.
#include "rlhf/layouts.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace precis {
namespace {

const ModelConfig& eight_layers() {
  static const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.layers = 8;
    c.heads = 8;
    c.kv_heads = 4;
    c.width = 32;
    c.norm = NormKind::rms_norm;
    c.position = PositionKind::rotary;
    c.activation = ActivationKind::gated_silu;
    c.vocabulary = 61;
  });
  return config;
}

const ModelConfig& six_heads() {
  static const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.layers = 8;
    c.heads = 6;
    c.width = 24;
  });
  return config;
}

/// The halves of three key-value heads are uneven.
const ModelConfig& nine_heads() {
  static const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.layers = 4;
    c.heads = 9;
    c.kv_heads = 3;
    c.width = 36;
    c.position = PositionKind::rotary;
    c.tied = false;
  });
  return config;
}

bool leaves_a_rank_without_heads(const ModelConfig& config, int tp) {
  try {
    (void)tensor_share(config, 0, tp, 1);
    return false;
  } catch (const UsageError&) {
    return true;
  }
}

constexpr PipelineSchedule schedules[]{PipelineSchedule::gpipe,
                                       PipelineSchedule::one_forward_one_backward,
                                       PipelineSchedule::zero_bubble};
constexpr std::int64_t budgets[]{60, 200, 100'000};
constexpr Recompute recomputes[]{Recompute::none, Recompute::block, Recompute::full};

/// What is tried on a grid.
struct Trial {
  Loss loss;
  PipelineSchedule schedule;
  std::int64_t budget;
  Activations activations;
  bool zero;
};

#ifdef PRECIS_ALL_LAYOUTS
/// All that make a difference on a grid.
std::vector<Trial> all_trials(const GridShape& grid) {
  std::vector<Trial> all;
  for (const Loss loss : losses) {
    for (const PipelineSchedule schedule : schedules) {
      for (const std::int64_t budget : budgets) {
        for (const Recompute recompute : recomputes) {
          for (const bool sequence_parallel : {false, true}) {
            for (const bool zero : {false, true}) {
              if ((grid.tp > 1 || !sequence_parallel) && (grid.dp > 1 || !zero)) {
                all.push_back({loss, schedule, budget, {recompute, sequence_parallel}, zero});
              }
            }
          }
        }
      }
    }
  }
  return all;
}
#endif

/// Of all trials, counted by `number`: those of PRECIS_SHARD=i/n, or every one. In the short form
/// each grid has one, of which losses, schedules and so on go round with different periods.
std::vector<Trial> trials([[maybe_unused]] const GridShape& grid, std::size_t& number) {
#ifdef PRECIS_ALL_LAYOUTS
  static const auto shard = [] {
    std::array<std::size_t, 2> of{0, 1};
    if (const char* const text = std::getenv("PRECIS_SHARD")) {
      EXPECT_EQ(std::sscanf(text, "%zu/%zu", &of[0], &of[1]), 2) << text;
    }
    return of;
  }();
  std::vector<Trial> mine;
  for (const Trial& trial : all_trials(grid)) {
    if (number++ % shard[1] == shard[0]) {
      mine.push_back(trial);
    }
  }
  return mine;
#else
  // These count where they make a difference.
  static std::size_t zeros = 0;
  static std::size_t sequences = 0;
  const std::size_t n = number++;
  return {{losses[n % 4],
           schedules[n % 3],
           budgets[n / 3 % 3],
           {recomputes[n / 9 % 3], grid.tp > 1 && sequences++ % 3 != 0},
           grid.dp > 1 && zeros++ % 3 != 0}};
#endif
}

TEST_F(Layouts, HaveTheBitsOfOneRank) {
  ASSERT_EQ(world.size(), most_ranks);
  const Rows rows = make_rows(19, 61);
  std::size_t number = 0;
  for (const ModelConfig* config : {&eight_layers(), &six_heads(), &nine_heads()}) {
    for (const GridShape& grid : grids()) {
      if (grid.pp > config->layers) {
        continue;
      }
      if (leaves_a_rank_without_heads(*config, grid.tp)) {
        expect_refusal(*config, rows, grid);
        continue;
      }
      for (const Trial& trial : trials(grid, number)) {
        Layout layout{.grid = grid,
                      .schedule = trial.schedule,
                      .micro_batch_tokens = trial.budget,
                      .stages = "",
                      .activations = trial.activations,
                      .zero = trial.zero};
        if (grid.pp == 3 && config->layers == 8 && trial.budget == budgets[0]) {
          layout.stages = "1,5,2";
        }
        expect_bits(*config, trial.loss, rows, layout);
      }
    }
  }
}

TEST_F(Layouts, ThatDivideNothingAgreeToRoundingAndKeepReplicasEqual) {
  const Rows rows = make_rows(19, 61);
  for (const GridShape& grid :
       {GridShape{.dp = 3, .pp = 1, .tp = 2}, GridShape{.dp = 3, .pp = 2},
        GridShape{.dp = 1, .pp = 2, .tp = 3}, GridShape{.dp = 1, .tp = 5}, GridShape{.dp = 5}}) {
    for (const Loss loss : {Loss::next_token, Loss::value}) {
      for (const ModelConfig* const config : {&six_heads(), &eight_layers()}) {
        const bool other = config == &six_heads();
        expect_agreement(*config, loss, rows,
                         {.grid = grid,
                          .stages = "",
                          .activations = {.sequence_parallel = other},
                          .zero = other});
      }
    }
  }
}

}  // namespace
}  // namespace precis
