// mpirun -n RANKS sums_speed [MIB]: seconds of a sum of so many MiB of f32 over the ranks, by the
// library's all-reduce, in a tree (`sum_in_tree`), and to owners with the gather from them (ZeRO).
// The three take turns; of each the median of the slowest rank's times.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <vector>

#include "base/clock.hpp"
#include "kernels/cpu/kernels.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_session.hpp"
#include "parallel/owner_sum.hpp"
#include "parallel/tree_sum.hpp"

namespace precis {
namespace {

constexpr int repeats = 15;

void measure(MpiSession& mpi, std::int64_t bytes) {
  RankGroup& world = mpi.world();
  MpiCommunicator ranks(world);
  Device device(cpu::backend);
  const std::int64_t count = bytes / size_of(DType::f32);
  Tensor values = device.zeros({count});
  std::vector<std::int64_t> bounds;
  for (int rank = 0; rank <= world.size(); ++rank) {
    bounds.push_back(count * rank / world.size());
  }
  OwnerSum owners(device, ranks, count / world.size() + 1);
  const std::array<std::pair<const char*, std::function<void()>>, 3> sums{{
      {"all-reduce of the library",
       [&] { ranks.all_reduce(device.queue(), values.view(), Reduction::sum); }},
      {"sum in a tree", [&] { sum_in_tree(device, ranks, values.view()); }},
      {"sum to owners, gather",
       [&] {
         owners.start(values.view(), bounds);
         owners.wait();
         gather_from_owners(device.queue(), ranks, values.view(), bounds);
       }},
  }};
  std::array<std::vector<double>, 3> seconds;
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      world.barrier();
      const Stopwatch watch;
      sums[i].second();
      std::array<double, 1> slowest{watch.seconds()};
      world.all_reduce(slowest, Reduction::max);
      if (repeat > 0) {  // The first makes connections.
        seconds[i].push_back(slowest[0]);
      }
    }
  }
  for (std::size_t i = 0; i < sums.size() && world.rank() == 0; ++i) {
    std::ranges::sort(seconds[i]);
    fmt::print("{:<26} {:8.2f} ms ({:.2f} to {:.2f})\n", sums[i].first,
               1e3 * seconds[i][repeats / 2], 1e3 * seconds[i].front(), 1e3 * seconds[i].back());
  }
}

}  // namespace
}  // namespace precis

int main(int argc, char** argv) {
  precis::MpiSession mpi;
  precis::measure(mpi, std::int64_t{argc > 1 ? std::atoi(argv[1]) : 64} << 20);
}
