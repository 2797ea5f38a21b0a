// What is known of a PPO step when it is over, and metrics.jsonl shows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/progress.hpp"
#include "io/metrics.hpp"
#include "parallel/rank_group.hpp"
#include "rlhf/batch_report.hpp"
#include "rlhf/correction.hpp"
#include "rlhf/learner.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// Plain numbers, which the first learner rank tells every rank.
struct StepReport {
  BatchReport batch;
  CorrectionReport correction;
  UpdateReport update;
  double kl_coefficient = 0;
  double learning_rate = 0;
  std::int64_t generated = 0;  ///< response tokens of the batch
  std::int64_t scored = 0;     ///< prompt and response tokens of the batch
  UpdateCounts updates;        ///< after this step
};

/// From world rank `root` to all.
void broadcast(StepReport& report, RankGroup& world, int root);

/// The step's row of metrics.jsonl (RECIPE, small print), except for what TrainingRun adds.
[[nodiscard]] Row metrics_row(const StepReport& report, std::int64_t weight_version);

/// What the progress line says: the reward that is optimised (after rules and KL) first.
[[nodiscard]] std::vector<ProgressNumbers::Value> progress_values(const BatchReport& batch);

/// A warning where fewer than half of a batch's episodes ended, what that does to their rewards and
/// what helps; else empty.
[[nodiscard]] std::string too_few_ended(const BatchReport& batch, std::int64_t step,
                                        const PpoOptions& options);

/// The longest time of any rank in each phase of the step becomes every rank's; `row` gets the
/// tokens per second of the phases that worked on the report's batch.
void reduce_phases(PhaseTimer& phases, RankGroup& world, const StepReport& report,
                   const PpoOptions& options, Row& row);

}  // namespace precis
