// The signs of a run that has gone wrong; TrainingRun::guard ends it.
#pragma once

#include <cstdint>

#include "io/metrics.hpp"

namespace precis {

/// `name` is "the loss" in messages. Throws Error with step and value if the loss is not finite, or
/// above 10 and above ten times the run's first loss. `extra` keeps the first loss for the
/// checkpoints.
void guard_loss(std::int64_t step, const char* name, double loss, nlohmann::ordered_json& extra);

/// Throws Error if a number is not finite.
void guard_finite(std::int64_t step, const char* name, double value);

}  // namespace precis
