// What a PPO run would do, hold and take, for `dry_run`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/memory.hpp"
#include "parallel/mpi_session.hpp"
#include "rlhf/roles.hpp"
#include "train/machine.hpp"

namespace precis {

struct PpoPlan {
  const RoleLayout& layout;
  const ModelConfig& policy;
  const ModelConfig& reference;
  const ModelConfig& reward;
  const ModelConfig& value;                    ///< of kind value
  const std::vector<std::uint8_t>& tokenizer;  ///< bytes of the policy's tokenizer.json
  const std::vector<Example>& prompts;
  const std::vector<Example>& shown;
  const PpoOptions& options;
  const TrainOptions& train;
  std::int64_t max_response_tokens = 0;
  std::uint64_t seed = 0;
  const Replay* replay = nullptr;
};

/// The tensors that world rank `rank` holds at its peak on a device like this one, if every summary
/// that is not replayed has max_response_tokens: its roles themselves, on a counting device, over
/// the first steps. A pure function of its arguments, the instruction set and the threads. Throws
/// Error for a replay that lacks episodes.
[[nodiscard]] MemoryCount planned_memory(const PpoPlan& plan, const Device& like, int rank);

/// The episodes [first, last) as the plan takes them to be, with zeros for what is computed.
[[nodiscard]] std::vector<Episode> planned_episodes(const PpoPlan& plan, std::int64_t first,
                                                    std::int64_t last);
/// The same with the reference's hidden states.
[[nodiscard]] std::vector<Episode> scored(const PpoPlan& plan, std::vector<Episode> episodes);
[[nodiscard]] Experience planned_experience(const Episode& episode);

/// Seconds of a step in each role, of the rank that takes longest.
struct RoleSeconds {
  double rollout = 0, reward = 0, learner = 0;
};
/// Collective. Generates a few tokens, scores a few episodes, and learns from two micro-batches
/// with `models`, which are of no use after it.
[[nodiscard]] RoleSeconds measure_roles(const PpoPlan& plan, Machine& machine, RankGroup& world,
                                        RoleProcesses& processes, RoleModels& models);

/// Collective. The plan as text: roles, models, steps, memory of each kind of rank, and time as
/// measured, unless the memory would not suffice: then a warning says so. `load` loads this rank's
/// models.
[[nodiscard]] std::string describe(const PpoPlan& plan, Machine& machine, MpiSession& mpi,
                                   RoleProcesses& processes,
                                   const std::function<RoleModels()>& load, Log& log);

}  // namespace precis
