// How often each optimizer of PPO has updated its network: what a checkpoint keeps of it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

namespace precis {

/// Adam's updates so far. The value network has more than the policy after ppo.value_warmup_steps.
struct UpdateCounts {
  std::int64_t policy = 0;
  std::int64_t value = 0;
  friend bool operator==(const UpdateCounts&, const UpdateCounts&) = default;
};

/// As `updates` and `value_updates` among what a checkpoint's state keeps, and back. Checkpoints of
/// earlier versions have one count, that of both; without any, json's exception is thrown.
void write_update_counts(nlohmann::ordered_json& extra, const UpdateCounts& counts);
[[nodiscard]] UpdateCounts read_update_counts(const nlohmann::ordered_json& extra);

}  // namespace precis
