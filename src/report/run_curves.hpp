// The metrics of runs of one kind in a report: the last values, curves, time by phase.
#pragma once

#include <string>
#include <vector>

#include "report/run.hpp"

namespace precis {

/// Cards with the last metrics of a run, each with a small curve.
[[nodiscard]] std::string headline_html(const ReportedRun& run);

/// One row per run: state, steps, time and the last metrics.
[[nodiscard]] std::string comparison_html(const std::vector<const ReportedRun*>& runs);

/// Every metric of the runs over their steps; the runs in one chart have a colour each.
[[nodiscard]] std::string curves_html(const std::vector<const ReportedRun*>& runs);

/// Where the time went: a bar for each run, and a table by phase and role.
[[nodiscard]] std::string time_html(const std::vector<const ReportedRun*>& runs);

/// A table of the deck's keys that differ between the runs; empty where none does.
[[nodiscard]] std::string differing_keys_html(const std::vector<const ReportedRun*>& runs);

}  // namespace precis
