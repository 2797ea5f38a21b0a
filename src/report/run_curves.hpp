// The numbers of runs of one kind in a report: the last ones, curves, time by phase.
#pragma once

#include <string>
#include <vector>

#include "report/run.hpp"

namespace precis {

/// Cards with the last numbers of a run, each with its course.
[[nodiscard]] std::string headline_html(const ReportedRun& run);

/// A row a run: state, steps, time and the last numbers.
[[nodiscard]] std::string comparison_html(const std::vector<const ReportedRun*>& runs);

/// Every number of the runs over their steps; runs of one chart have a colour each.
[[nodiscard]] std::string curves_html(const std::vector<const ReportedRun*>& runs);

/// Where the time went: bars a run, and a table by phase and role.
[[nodiscard]] std::string time_html(const std::vector<const ReportedRun*>& runs);

/// A table of the deck's keys that differ between the runs; empty where none does.
[[nodiscard]] std::string differing_keys_html(const std::vector<const ReportedRun*>& runs);

}  // namespace precis
