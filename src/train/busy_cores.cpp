#include "train/busy_cores.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/text.hpp"

namespace precis {

void warn_of_busy_cores(int threads, int ranks, Log& log) {
  double load = 0;
  const auto cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  const bool is_told = std::getenv("OMP_WAIT_POLICY") != nullptr;
  if (threads == 1 || is_told || ::getloadavg(&load, 1) != 1 || load <= cores) {
    return;
  }
  log.warning(
      "The load of this machine is {:.1f} on {}, without the {} of this run: threads that wait for "
      "each other are slow where others take their cores. OMP_WAIT_POLICY=passive in the "
      "environment, or fewer --threads, helps.",
      load, counted(cores, "core"), counted(threads * ranks, "thread"));
}

}  // namespace precis
