// The chart in which reward-model score and gold score part (after Stiennon et al. 2020, figure 5,
// and Gao, Schulman and Hilton 2022).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "eval/report_files.hpp"
#include "eval/report_tables.hpp"
#include "io/jsonl.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/table.hpp"

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

/// The policies of one method, by rising KL.
std::vector<std::vector<Policy>> by_method(std::vector<Policy> policies) {
  std::vector<std::vector<Policy>> methods;
  for (Policy& policy : policies) {
    auto found = std::ranges::find_if(
        methods, [&](const std::vector<Policy>& of) { return of.front().method == policy.method; });
    if (found == methods.end()) {
      found = methods.insert(methods.end(), std::vector<Policy>{});
    }
    found->push_back(std::move(policy));
  }
  for (auto& method : methods) {
    std::ranges::stable_sort(method, {}, &Policy::kl);
  }
  return methods;
}

Series series_of(const std::vector<Policy>& policies, Measured Policy::*quantity, std::string name,
                 int colour) {
  Series series{.name = std::move(name), .x = {}, .y = {}, .points = true, .colour = colour};
  for (const Policy& policy : policies) {
    const Measured& of = policy.*quantity;
    series.x.push_back(std::sqrt(policy.kl));
    series.y.push_back(of.value);
    series.low.push_back(of.low);
    series.high.push_back(of.high);
  }
  return series;
}

/// Moves and stretches a series so that its first value becomes 0 and its largest 1.
bool rescale(Series& series) {
  const auto is_known = [](double y) { return std::isfinite(y); };
  const auto first = std::ranges::find_if(series.y, is_known);
  if (first == series.y.end()) {
    return false;
  }
  const double from = *first;
  double rise = 0;
  for (const double y : series.y) {
    rise = std::isfinite(y) ? std::max(rise, y - from) : rise;
  }
  if (!(rise > 0)) {
    return false;
  }
  for (auto* values : {&series.y, &series.low, &series.high}) {
    for (double& value : *values) {
      value = (value - from) / rise;
    }
  }
  return true;
}

std::string charts_html(const std::vector<std::vector<Policy>>& methods) {
  const std::string x_label = "square root of the KL to the first policy, in nats a summary";
  LineChart together{.title =
                         "Reward-model score and gold score: rise since the smallest KL, over each "
                         "one's largest rise",
                     .x_label = x_label,
                     .series = {},
                     .level = 0,
                     .wide = true};
  LineChart reward{.title = "Reward-model score", .x_label = "square root of the KL", .series = {}};
  LineChart gold{.title = "Gold score", .x_label = "square root of the KL", .series = {}};
  bool comparable = true;
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const std::string& method = methods[m].front().method;
    const std::string suffix = method.empty() ? "" : ", " + method;
    const int colour = static_cast<int>(2 * m);
    reward.series.push_back(series_of(methods[m], &Policy::reward, method, colour));
    gold.series.push_back(series_of(methods[m], &Policy::gold, method, colour + 1));
    Series score = series_of(methods[m], &Policy::reward, "reward model" + suffix, colour);
    Series truth = series_of(methods[m], &Policy::gold, "gold" + suffix, colour + 1);
    const bool score_rises = rescale(score);
    const bool truth_rises = rescale(truth);
    comparable = comparable && score_rises && truth_rises;
    together.series.push_back(std::move(score));
    together.series.push_back(std::move(truth));
  }
  reward.labels = gold.labels = methods.size() > 1;
  std::string html = "<div class=\"charts\">\n";
  html += comparable ? to_svg(together) : "";
  return html + to_svg(reward) + to_svg(gold) + "</div>\n";
}

std::string cell_of(const Measured& of) {
  if (std::isfinite(of.low) && std::isfinite(of.high)) {
    return fmt::format("{} ({} to {})", number_text(of.value), number_text(of.low),
                       number_text(of.high));
  }
  return std::isfinite(of.value) ? number_text(of.value) : "";
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
          throw BadRow(fmt::format("{}: kl, or both of reward and gold, are no numbers.", where));
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
