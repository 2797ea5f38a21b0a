// The chart in which reward-model score and gold score diverge (after Stiennon et al. 2020, figure
// 5, and Gao, Schulman and Hilton 2022).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "io/jsonl.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/table.hpp"
#include "report/files.hpp"
#include "report/tables.hpp"

namespace precis {
namespace {

constexpr std::size_t most_policies = 500;
constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

struct Measured {
  double value = nothing;
  double low = nothing;
  double high = nothing;
};

struct Policy {
  std::string name, method;
  double kl = 0;
  Measured reward, gold;
};

Measured measured_in(const nlohmann::json& row, const std::string& field) {
  return {number_in(row, field.c_str()).value_or(nothing),
          number_in(row, (field + "_low").c_str()).value_or(nothing),
          number_in(row, (field + "_high").c_str()).value_or(nothing)};
}

/// The policies of each method, in the order of the file: that of the steps of a run.
std::vector<std::vector<Policy>> by_method(std::vector<Policy> policies) {
  std::vector<std::vector<Policy>> methods;
  for (Policy& policy : policies) {
    auto found = std::ranges::find_if(methods, [&](const std::vector<Policy>& group) {
      return group.front().method == policy.method;
    });
    if (found == methods.end()) {
      found = methods.insert(methods.end(), std::vector<Policy>{});
    }
    found->push_back(std::move(policy));
  }
  return methods;
}

Series series_of(const std::vector<Policy>& policies, Measured Policy::*quantity, std::string name,
                 int colour) {
  Series series{.name = std::move(name), .x = {}, .y = {}, .points = true, .colour = colour};
  for (const Policy& policy : policies) {
    const Measured& measured = policy.*quantity;
    series.x.push_back(std::sqrt(policy.kl));
    series.y.push_back(measured.value);
    series.low.push_back(measured.low);
    series.high.push_back(measured.high);
  }
  return series;
}

/// The first known value, and the most by which a later one is above it.
struct Rise {
  double from = 0;
  double most = 0;
};

Rise rise_of(const std::vector<double>& values) {
  Rise rise;
  bool begun = false;
  for (const double value : values) {
    if (std::isfinite(value)) {
      rise.from = begun ? rise.from : value;
      rise.most = std::max(rise.most, value - rise.from);
      begun = true;
    }
  }
  return rise;
}

bool rises(const std::vector<Policy>& policies, Measured Policy::*quantity) {
  return rise_of(series_of(policies, quantity, "", 0).y).most > 0;
}

/// The first value becomes 0 and the largest 1, of a series that rises.
Series rescaled(Series series) {
  const Rise rise = rise_of(series.y);
  for (auto* values : {&series.y, &series.low, &series.high}) {
    for (double& value : *values) {
      value = (value - rise.from) / rise.most;
    }
  }
  return series;
}

std::string charts_html(const std::vector<std::vector<Policy>>& methods) {
  const std::string x_label = "square root of the KL to the first policy, in nats per summary";
  LineChart together{
      .title =
          "Reward-model score and gold score: rise since the first policy, over each "
          "one's largest rise",
      .x_label = x_label,
      .series = {},
      .level = 0,
      .level_name = "no rise",
      .wide = true};
  LineChart reward{.title = "Reward-model score", .x_label = "square root of the KL", .series = {}};
  LineChart gold{.title = "Gold score", .x_label = "square root of the KL", .series = {}};
  // Where a score never rises, its largest rise is no measure of it.
  const bool comparable = std::ranges::all_of(methods, [](const std::vector<Policy>& policies) {
    return rises(policies, &Policy::reward) && rises(policies, &Policy::gold);
  });
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const std::vector<Policy>& policies = methods[m];
    const std::string& method = policies.front().method;
    // One colour for a method; in the chart that has both scores, and so beside it, one for each.
    const int of_reward = static_cast<int>(comparable ? 2 * m : m);
    const int of_gold = static_cast<int>(comparable ? 2 * m + 1 : m);
    reward.series.push_back(series_of(policies, &Policy::reward, method, of_reward));
    gold.series.push_back(series_of(policies, &Policy::gold, method, of_gold));
    if (comparable) {
      const std::string suffix = method.empty() ? "" : ", " + method;
      together.series.push_back(
          rescaled(series_of(policies, &Policy::reward, "reward model" + suffix, of_reward)));
      together.series.push_back(
          rescaled(series_of(policies, &Policy::gold, "gold" + suffix, of_gold)));
    }
  }
  reward.labels = gold.labels = methods.size() > 1;
  std::string html = "<div class=\"charts\">\n";
  html += comparable ? to_svg(together) : "";
  return html + to_svg(reward) + to_svg(gold) + "</div>\n";
}

std::string cell_of(const Measured& measured) {
  if (std::isfinite(measured.low) && std::isfinite(measured.high)) {
    return fmt::format("{} ({} to {})", number_text(measured.value), number_text(measured.low),
                       number_text(measured.high));
  }
  return std::isfinite(measured.value) ? number_text(measured.value) : "";
}

}  // namespace

std::string overoptimization_html(const std::filesystem::path& file) {
  std::vector<Policy> policies;
  const SkippedRows skipped =
      read_loose_rows(file, [&](const nlohmann::json& row, const std::string& where) {
        Policy policy{.name = text_in(row, "name"),
                      .method = text_in(row, "method"),
                      .kl = number_in(row, "kl").value_or(nothing),
                      .reward = measured_in(row, "reward"),
                      .gold = measured_in(row, "gold")};
        if (!std::isfinite(policy.kl) ||
            !(std::isfinite(policy.reward.value) || std::isfinite(policy.gold.value))) {
          throw BadRow(
              fmt::format("{}: kl is not a number, or neither reward nor gold is one.", where));
        }
        // An estimate of a KL near zero may come out below it.
        policy.kl = std::max(0.0, policy.kl);
        policies.push_back(std::move(policy));
        return policies.size() < most_policies;
      });
  const std::string problem = skipped.describe(file.filename().string());
  require(!policies.empty(), "{}", problem.empty() ? "the file has no rows" : problem);
  const auto methods = by_method(std::move(policies));
  Table table{.columns = {{"policy"},
                          {"method"},
                          {"KL", true},
                          {"reward-model score", true},
                          {"gold score", true}},
              .rows = {}};
  for (const auto& method : methods) {
    for (const Policy& policy : method) {
      table.rows.push_back({policy.name, policy.method, number_text(policy.kl),
                            cell_of(policy.reward), cell_of(policy.gold)});
    }
  }
  return (problem.empty() ? "" : fmt::format("<p class=\"warning\">{}</p>\n", escaped(problem))) +
         charts_html(methods) + "<details><summary>The numbers</summary>" + to_html(table) +
         "</details>\n";
}

}  // namespace precis
