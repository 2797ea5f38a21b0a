// mpirun -n 4 sync_speed [LAYERS]: seconds of a sync of the policy's weights from a learner on tp=2
// to a rollout on dp=2, which has other ranks, and of the check that all have the same
// (ppo.check_weights), beside a copy of the same bytes in memory by the ranks that receive them.
// The default of 6 layers is a model of 30 million parameters. The three take turns; of each the
// median of the slowest rank's times.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "kernels/cpu/kernels.hpp"
#include "parallel/mpi_session.hpp"
#include "rlhf/weight_sync.hpp"

namespace precis {
namespace {

constexpr int repeats = 15;

ModelConfig config_of(std::int64_t layers) {
  ModelConfig config;
  config.layers = layers;
  config.width = 512;
  config.heads = 8;
  config.vocabulary = 20'000;
  complete(config);
  return config;
}

void measure(MpiSession& mpi, std::int64_t layers) {
  RankGroup& world = mpi.world();
  require(world.size() == 4, "sync_speed was started on {} ranks; it is for 4.", world.size());
  Device device(cpu::backend);
  const ModelConfig config = config_of(layers);
  RoleLayout layout;
  layout.placement = Placement::dedicated;
  layout.rollout = {.grid = {.dp = 2}, .ranks = {0, 1}};
  layout.learner = {.grid = {.tp = 2}, .ranks = {2, 3}};
  WeightSync sync({.world = world, .layout = layout, .policy = config, .learner_cut = ""});

  const bool learns = layout.learner.contains(world.rank());
  ModelRanks ranks;
  if (learns) {
    ranks.tensor_rank = world.rank() - layout.learner.ranks.front();
    ranks.tensor_ranks = 2;
  }
  Model model = make_model(device, config, {}, 1, ranks);
  const Parameters* const from = learns ? &model.parameters : nullptr;
  Parameters* const to = learns ? nullptr : &model.parameters;
  std::vector<std::byte> copy(
      learns ? 0 : static_cast<std::size_t>(model.parameters.flat().size_bytes()));

  const std::array<std::pair<const char*, std::function<void()>>, 3> works{{
      {"sync, tp=2 to dp=2",
       [&] {
         sync.start(device, from, to);
         sync.finish();
       }},
      {"check of all weights", [&] { (void)sync.check(device, from, to); }},
      {"copy in memory",
       [&] {
         if (to != nullptr) {
           std::memcpy(copy.data(), to->flat().bytes(), copy.size());
         }
       }},
  }};
  std::array<std::vector<double>, 3> seconds;
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    for (std::size_t i = 0; i < works.size(); ++i) {
      world.barrier();
      const Stopwatch watch;
      works[i].second();
      std::array<double, 1> slowest{watch.seconds()};
      world.all_reduce(slowest, Reduction::max);
      if (repeat > 0) {  // The first makes connections.
        seconds[i].push_back(slowest[0]);
      }
    }
  }
  const auto received = static_cast<double>(all_sum(world, sync.bytes_received()));
  for (std::size_t i = 0; i < works.size() && world.rank() == 0; ++i) {
    std::ranges::sort(seconds[i]);
    fmt::print("{:<21} {:8.2f} ms ({:.2f} to {:.2f}), {:.2f} GB/s\n", works[i].first,
               1e3 * seconds[i][repeats / 2], 1e3 * seconds[i].front(), 1e3 * seconds[i].back(),
               1e-9 * received / seconds[i][repeats / 2]);
  }
}

}  // namespace
}  // namespace precis

int main(int argc, char** argv) {
  precis::MpiSession mpi;
  precis::measure(mpi, argc > 1 ? std::atoi(argv[1]) : 6);
}
