// The keys of every command that computes: seed, threads, grid, device, precision, watchdog.
#pragma once

#include <cstdint>
#include <string>

#include "base/options.hpp"

namespace precis {

struct MachineOptions {
  std::int64_t seed = 1;
  std::int64_t threads = 0;
  std::string grid;
  std::string device = "auto";
  std::string precision;  ///< empty: the device's own
  double watchdog_seconds = 600;
};
void add_machine_options(OptionTable& table, MachineOptions& options);

}  // namespace precis
