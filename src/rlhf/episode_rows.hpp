// Episodes as rows of episodes.jsonl.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "io/metrics.hpp"
#include "rlhf/experience.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// A row of episodes.jsonl (CONTRACT section 4). `minibatch`: the mini-batch of each epoch it fell
/// in.
[[nodiscard]] Row episode_row(const Experience& experience, std::int64_t step,
                              const std::string& prompt_id, double kl_coefficient,
                              const std::vector<std::int64_t>& minibatch);

/// The first ppo.log_episodes rows of episodes.jsonl.
[[nodiscard]] std::vector<Row> episode_rows(
    std::span<const Experience> batch, std::int64_t step, std::uint64_t seed, double kl_coefficient,
    const PpoOptions& options, const std::function<std::string(const Episode&)>& prompt_id);

}  // namespace precis
