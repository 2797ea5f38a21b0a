// What every checkpoint says about its run besides the tensors.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "io/state_file.hpp"

namespace precis {

/// The JSON text `state` of a checkpoint, and its attribute `layout`.
struct RunState {
  std::string command;  ///< "sft", "reward", "ppo"
  std::int64_t step = 0;
  std::int64_t tokens = 0;
  std::string
      layout;  ///< ranks, threads, instruction set: reproducible to the bit where it is equal
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();  ///< the command's own counters
};

void write_state(StateWriter& file, const RunState& state);
/// Throws Error naming the file if its `state` is not one that precis wrote.
[[nodiscard]] RunState read_state(const StateReader& file);

}  // namespace precis
