// The keys of a run: its folder, its machine, its log, when its allocation ends.
#pragma once

#include <string>

#include "base/log_options.hpp"
#include "base/options.hpp"
#include "train/machine_options.hpp"

namespace precis {

struct RunOptions {
  MachineOptions machine;
  std::string run;
  std::string end_time;
  bool trace = false;
  bool dry_run = false;
  LogOptions log;
  bool tensorboard = false;
};
void add_run_options(OptionTable& table, RunOptions& options);

}  // namespace precis
