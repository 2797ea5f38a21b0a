#include "report/run_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>
#include <set>
#include <span>
#include <string_view>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "page/chart.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "page/table.hpp"

namespace precis {
namespace {

/// From this many steps on, raw values are drawn with a smooth line above them.
constexpr std::int64_t least_for_smoothing = 60;
constexpr double smoothing = 0.015;  // of the run's length
constexpr std::size_t most_other_panels = 40;

/// A chart of some of a run's metrics, as far as it has them.
struct Panel {
  struct Line {
    std::string_view metric;
    std::string_view name;
    bool points = false;  ///< measured now and then
  };
  std::string_view title;
  std::vector<Line> lines;
  std::optional<double> level = {};
  std::string_view level_name = {};
  std::optional<double> y_low = {};
  bool exact = false;  ///< not noisy: never smoothed
};

const std::vector<Panel>& panels() {
  static const std::vector<Panel> all = {
      {"Reward that is optimised (after rules and KL)", {{"rlhf_reward", "reward"}}},
      {"Score of the reward model, before rules and KL", {{"score_mean", "score"}}},
      {"Spread of the score (standard deviation)", {{"score_std", "score"}}},
      {"KL to the reference policy, nats per summary",
       {{"kl_k1", "k1"}, {"kl_k3", "k3"}, {"kl_exact", "exact"}}},
      {"KL coefficient", {{"kl_coefficient", "coefficient"}}, {}, {}, {}, true},
      {"Entropy of the policy, nats per token", {{"entropy", "entropy"}}},
      {"Length of responses, tokens", {{"response_tokens_mean", "length"}}},
      {"Share of responses that ended", {{"ended_fraction", "ended"}}},
      {"Loss", {{"loss", "training"}, {"valid_loss", "validation", true}}},
      {"Accuracy on comparisons",
       {{"accuracy", "training"}, {"valid_accuracy", "validation", true}},
       0.5,
       "chance"},
      {"Policy loss", {{"policy_loss", "policy"}}},
      {"Value loss", {{"value_loss", "value"}}},
      {"Explained variance of the values (cut at -1)",
       {{"explained_variance", "explained"}},
       0.0,
       "no better than their mean",
       -1.0},
      {"Share of clipped tokens",
       {{"clip_fraction_policy", "policy"}, {"clip_fraction_value", "value"}}},
      {"Probability ratio to the old policy", {{"ratio_mean", "mean"}, {"ratio_max", "largest"}}},
      {"KL of one step's update, nats per token", {{"update_kl", "update"}}},
      {"Gradient norm before clipping",
       {{"gradient_norm", "both"},
        {"gradient_norm_policy", "policy"},
        {"gradient_norm_value", "value"}}},
      {"Learning rate", {{"learning_rate", "rate"}}, {}, {}, {}, true},
      {"Difference of log-probs, rollout and learner",
       {{"logprob_gap_mean", "mean"}, {"logprob_gap_max", "largest"}}},
      {"Tokens per second", {{"tokens_per_second", "all"}}},
      {"Tokens per second, by role",
       {{"rollout_tokens_per_second", "rollout"},
        {"reward_tokens_per_second", "reward"},
        {"experience_tokens_per_second", "experience"},
        {"update_tokens_per_second", "update"}}},
      {"Seconds per step", {{"seconds", "all"}}},
  };
  return all;
}

/// Shown elsewhere, or of no interest as a curve.
bool is_hidden(std::string_view metric) {
  return metric == "tokens" || metric == "weight_version" || metric.starts_with("seconds_");
}

void add_measured(LineChart& chart, const Curve& curve, const std::string& name, int colour,
                  const std::string& key) {
  Curve::Points raw = curve.points();
  chart.series.push_back({.name = name,
                          .x = std::move(raw.x),
                          .y = std::move(raw.y),
                          .points = true,
                          .colour = colour,
                          .key = key});
}

void add_series(LineChart& chart, const Curve& curve, std::string_view name, int colour,
                bool exact) {
  Curve::Points raw = curve.points();
  const bool smooth = !exact && curve.count() >= least_for_smoothing;
  if (smooth) {
    Curve::Points smoothed = curve.smoothed(smoothing);
    chart.series.push_back({.name = std::string(name),
                            .x = std::move(smoothed.x),
                            .y = std::move(smoothed.y),
                            .colour = colour});
  }
  chart.series.push_back({.name = smooth ? "each step" : std::string(name),
                          .x = std::move(raw.x),
                          .y = std::move(raw.y),
                          .faint = smooth,
                          .line = !smooth,
                          .points = smooth,
                          .colour = colour});
}

/// All lines of a panel for one run, or each of them in a chart of its own that compares the runs.
/// Measures of now and then stay with the first line.
std::string panel_html(const Panel& panel, const std::vector<const ReportedRun*>& runs,
                       std::set<std::string, std::less<>>& shown) {
  std::string html;
  LineChart chart{.title = std::string(panel.title),
                  .x_label = "step",
                  .series = {},
                  .y_low = {},
                  .level = panel.level,
                  .level_name = std::string(panel.level_name),
                  .labels = false};
  const auto flush = [&] {
    if (!chart.series.empty()) {
      html += to_svg(chart);
      chart.series.clear();
    }
  };
  const bool several = runs.size() > 1;
  int lines_of_run = 0;
  for (std::size_t k = 0; k < panel.lines.size(); ++k) {
    const Panel::Line& line = panel.lines[k];
    if (several && !line.points) {
      flush();
      chart.title = k == 0 && (panel.lines.size() == 1 || panel.lines[1].points)
                        ? std::string(panel.title)
                        : fmt::format("{}: {}", panel.title, line.name);
    }
    for (std::size_t r = 0; r < runs.size(); ++r) {
      const Curve* curve = runs[r]->find(line.metric);
      if (curve == nullptr) {
        continue;
      }
      shown.emplace(line.metric);
      if (curve->count() == 0) {
        continue;
      }
      const int colour = several ? static_cast<int>(r) : lines_of_run++;
      const std::string name = several ? runs[r]->name : std::string(line.name);
      if (!line.points) {
        add_series(chart, *curve, name, colour, panel.exact);
      } else if (several) {
        add_measured(chart, *curve, fmt::format("{}, {}", name, line.name), colour,
                     std::string(line.name));
      } else {
        add_measured(chart, *curve, name, colour, "");
      }
      if (panel.y_low && curve->smallest().y < *panel.y_low) {
        chart.y_low = panel.y_low;
      }
    }
  }
  chart.labels = !several && lines_of_run > 1;
  flush();
  return html;
}

std::string card(std::string_view name, std::string_view value, std::string_view note,
                 const std::string& line = {}) {
  return fmt::format(
      "<div class=\"card\"><div class=\"name\">{}</div><div class=\"value\">{}</div>"
      "<div class=\"note\">{}</div>{}</div>\n",
      escaped(name), escaped(value), escaped(note), line);
}

struct Headline {
  std::string_view metric;
  std::string_view name;
  bool share = false;
  bool noisy = false;  ///< of few rows a step: the mean of the last tenth of the run
};

std::span<const Headline> headlines(RunKind kind) {
  static constexpr std::array<Headline, 3> sft = {
      {{"valid_loss", "validation loss"},
       {"loss", "training loss, last tenth", false, true},
       {"gradient_norm", "gradient norm"}}};
  static constexpr std::array<Headline, 4> reward = {
      {{"valid_accuracy", "validation accuracy", true},
       {"valid_loss", "validation loss"},
       {"accuracy", "training accuracy, last tenth", true, true},
       {"loss", "training loss, last tenth", false, true}}};
  static constexpr std::array<Headline, 7> ppo = {{{"rlhf_reward", "reward, after rules and KL"},
                                                   {"score_mean", "score, before rules and KL"},
                                                   {"kl_exact", "KL, nats per summary"},
                                                   {"entropy", "entropy, nats per token"},
                                                   {"response_tokens_mean", "length, tokens"},
                                                   {"ended_fraction", "ended", true},
                                                   {"explained_variance", "explained variance"}}};
  switch (kind) {
    case RunKind::reward:
      return reward;
    case RunKind::ppo:
      return ppo;
    case RunKind::sft:
    case RunKind::unknown:
      break;
  }
  return sft;
}

double value_of(const Headline& headline, const Curve& curve) {
  const double end = curve.last().x;
  return headline.noisy ? curve.mean_from(end - 0.1 * (end - curve.first().x)) : curve.last().y;
}

/// Empty where the run does not have it.
std::string value_text(const Headline& headline, const ReportedRun& run) {
  const Curve* curve = run.find(headline.metric);
  if (curve == nullptr || curve->count() == 0) {
    return "";
  }
  const double value = value_of(headline, *curve);
  return headline.share ? percent_text(value) : number_text(value);
}

/// About as many points as a small line can show.
std::string course(const Curve& curve) {
  const Curve::Points smoothed = curve.smoothed(smoothing);
  std::vector<double> y;
  const std::size_t every = std::max<std::size_t>(1, smoothed.y.size() / 120);
  for (std::size_t i = 0; i < smoothed.y.size(); i += every) {
    y.push_back(smoothed.y[i]);
  }
  return sparkline(y);
}

double total_seconds(const ReportedRun& run) {
  const Curve* seconds = run.find("seconds");
  return seconds == nullptr || !(seconds->sum() > 0) ? 0 : std::min(seconds->sum(), 1e12);
}

struct Phase {
  std::string name;
  std::string role;
};

/// The role whose work a phase of PPO is.
std::string role_of(RunKind kind, std::string_view phase) {
  if (kind != RunKind::ppo) {
    return "";
  }
  if (phase == "experience" || phase == "update") {
    return "learner";
  }
  return phase == "rollout" || phase == "reward" ? std::string(phase)
         : phase == "sync"                       ? "learner to rollout"
                                                 : "";
}

double seconds_of(const ReportedRun& run, const std::string& phase) {
  const Curve* curve = run.find("seconds_" + phase);
  return curve == nullptr || !std::isfinite(curve->sum()) ? 0 : std::max(0.0, curve->sum());
}

std::vector<std::string> phases_of(const std::vector<const ReportedRun*>& runs) {
  std::vector<std::string> phases;
  for (const ReportedRun* run : runs) {
    for (const auto& [name, curve] : run->metrics) {
      constexpr std::string_view prefix = "seconds_";
      if (name.starts_with(prefix) &&
          std::ranges::find(phases, name.substr(prefix.size())) == phases.end()) {
        phases.push_back(name.substr(prefix.size()));
      }
    }
  }
  return phases;
}

/// "complete, 990 steps" with a blank that does not break between number and noun.
std::string with_counts_whole(const std::string& text) {
  return std::regex_replace(text, std::regex("([0-9]) ([a-z])"), "$1\u00a0$2");
}

}  // namespace

std::string headline_html(const ReportedRun& run) {
  std::string html = "<div class=\"cards\">\n";
  for (const Headline& headline : headlines(run.kind)) {
    const Curve* curve = run.find(headline.metric);
    if (curve == nullptr || curve->count() == 0) {
      continue;
    }
    const double first = curve->first().y;
    html +=
        card(headline.name, value_text(headline, run),
             fmt::format("{} at step {}", headline.share ? percent_text(first) : number_text(first),
                         number_text(curve->first().x)),
             course(*curve));
  }
  const double seconds = total_seconds(run);
  if (run.steps > 0) {
    html += card("steps", with_thousands(run.last_step), run.state());
  }
  if (seconds > 0) {
    const Curve* tokens = run.find("tokens");
    html += card("time in steps", duration_text(seconds),
                 tokens == nullptr || tokens->count() == 0
                     ? ""
                     : fmt::format("{} tokens, {} a second", number_text(tokens->last().y),
                                   number_text(tokens->last().y / seconds)));
  }
  return html + "</div>\n";
}

std::string comparison_html(const std::vector<const ReportedRun*>& runs) {
  Table table;
  table.columns = {{"run"}, {"state"}, {"time in steps", true}};
  if (runs.empty()) {
    return "";
  }
  const auto wanted = headlines(runs.front()->kind);
  for (const Headline& headline : wanted) {
    table.columns.push_back({std::string(headline.name), true});
  }
  for (const ReportedRun* run : runs) {
    table.rows.push_back(
        {run->name, with_counts_whole(run->state()), duration_text(total_seconds(*run))});
    for (const Headline& headline : wanted) {
      table.rows.back().push_back(value_text(headline, *run));
    }
  }
  table.caption = "Numbers of the last step that has them.";
  return to_html(table);
}

std::string curves_html(const std::vector<const ReportedRun*>& runs) {
  std::set<std::string, std::less<>> shown;
  std::string charts;
  for (const Panel& panel : panels()) {
    charts += panel_html(panel, runs, shown);
  }
  std::size_t others = 0;
  for (const ReportedRun* run : runs) {
    for (const auto& [name, curve] : run->metrics) {
      if (!is_hidden(name) && !shown.contains(name) && others < most_other_panels) {
        ++others;
        const std::string title = name;  // the panel keeps a view of it
        charts += panel_html({title, {{title, title}}}, runs, shown);
        shown.insert(name);
      }
    }
  }
  if (charts.empty()) {
    return "";
  }
  std::string html;
  if (runs.size() > 1) {
    html += "<div class=\"keys\">";
    for (std::size_t r = 0; r < runs.size(); ++r) {
      html += fmt::format("<span class=\"key k{}\">{}</span>", r % 8, escaped(runs[r]->name));
    }
    html += "</div>\n";
  }
  return html + "<div class=\"charts\">\n" + charts + "</div>\n";
}

std::string time_html(const std::vector<const ReportedRun*>& runs) {
  const std::vector<std::string> phases = phases_of(runs);
  BarChart chart{
      .title = "Time by phase", .parts = phases, .bars = {}, .unit = "s", .shares = true};
  chart.parts.emplace_back("other");
  Table table{.columns = {{"run"},
                          {"phase"},
                          {"role"},
                          {"seconds", true},
                          {"share", true},
                          {"seconds per step", true}},
              .rows = {}};
  for (const ReportedRun* run : runs) {
    const double total = total_seconds(*run);
    if (!(total > 0)) {
      continue;
    }
    BarChart::Bar bar{.name = run->name, .values = {}, .text = duration_text(total)};
    double rest = total;
    for (const std::string& phase : phases) {
      bar.values.push_back(seconds_of(*run, phase));
      rest -= bar.values.back();
    }
    bar.values.push_back(std::max(0.0, rest));
    for (std::size_t i = 0; i < bar.values.size(); ++i) {
      const double seconds = bar.values[i];
      table.rows.push_back(
          {run->name, chart.parts[i], role_of(run->kind, chart.parts[i]),
           fmt::format("{:.2f}", seconds), percent_text(seconds / total),
           number_text(seconds / static_cast<double>(std::max<std::int64_t>(1, run->steps)))});
    }
    chart.bars.push_back(std::move(bar));
  }
  if (chart.bars.empty()) {
    return "";
  }
  return to_html(chart) + "<details><summary>Seconds by phase</summary>" + to_html(table) +
         "</details>\n";
}

std::string differing_keys_html(const std::vector<const ReportedRun*>& runs) {
  std::vector<std::string> keys;
  for (const ReportedRun* run : runs) {
    for (const DeckEntry& entry : run->deck) {
      if (std::ranges::find(keys, entry.key) == keys.end() && keys.size() < 1000) {
        keys.push_back(entry.key);
      }
    }
  }
  Table table{.columns = {{"key"}}, .rows = {}};
  for (const ReportedRun* run : runs) {
    table.columns.push_back({run->name});
  }
  for (const std::string& key : keys) {
    std::vector<std::string> row = {key};
    std::set<std::string> values;
    for (const ReportedRun* run : runs) {
      row.push_back(run->deck_value(key));
      values.insert(row.back());
    }
    if (values.size() > 1) {
      table.rows.push_back(std::move(row));
    }
  }
  return table.rows.empty() ? "" : to_html(table);
}

}  // namespace precis
