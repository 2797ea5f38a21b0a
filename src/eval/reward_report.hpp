// How a reward model does on comparisons: overall, by confidence, by policy pair and by batch.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "eval/agreement.hpp"
#include "eval/calibration.hpp"

namespace precis {

/// Agreement of the rewards with the labelers' choices and, on posts of the embedded data set, with
/// gold. Each map holds its groups and their sum "all".
struct RewardReport {
  std::map<std::string, Agreement> by_confidence;  ///< "1" to "9", or "not given"
  std::map<std::string, Agreement> by_policies;    ///< "ref-sft"
  std::map<std::string, Agreement> by_batch;
  Calibration calibration;    ///< towards the labelers' choices
  std::int64_t repeated = 0;  ///< duplicate judgements, left out (`RepeatedJudgements`)
};

/// `rewards` are those of both summaries of each pair. `pairs` must not be empty.
[[nodiscard]] RewardReport report_rewards(std::span<const Pair> pairs,
                                          std::span<const std::array<float, 2>> rewards);

/// Tables: a line each for all pairs and for each group, then the calibration.
[[nodiscard]] std::string to_text(const RewardReport& report);
/// The same numbers as one object.
[[nodiscard]] nlohmann::ordered_json to_json(const RewardReport& report);

}  // namespace precis
