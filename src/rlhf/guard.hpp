// What ends a run of PPO that has gone wrong.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "rlhf/batch_report.hpp"
#include "rlhf/learner.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// Before the updates: throws Error with what was seen if the KL is above ppo.max_kl, a number is
/// not finite or the value loss explodes. `extra` keeps the first value loss for the checkpoints.
void guard_batch(const BatchReport& batch, std::int64_t step, const PpoOptions& options,
                 nlohmann::ordered_json& extra);
/// After them: throws Error if a number is not finite or the value loss explodes.
void guard_update(const UpdateReport& update, std::int64_t step, nlohmann::ordered_json& extra);

}  // namespace precis
