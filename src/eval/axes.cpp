#include "eval/axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>

#include "feedback/pair_id.hpp"
#include "io/row_id.hpp"

namespace precis {
namespace {

std::string optional_text(const nlohmann::json& object, const char* field) {
  const nlohmann::json* value = find_field(object, field);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

const nlohmann::json& object_field(const nlohmann::json& object, const char* field,
                                   const std::string& where, const char* path) {
  const nlohmann::json* value = find_field(object, field);
  if (value == nullptr || !value->is_object()) {
    throw BadRow(fmt::format(
        "{}: the field `{}` is {}; expected a row with one summary judged on axes, "
        "{{\"info\",\"summary\":{{\"text\",\"policy\",\"axes\":{{\"overall\",...}}}},\"worker\"}}.",
        where, path, value == nullptr ? "missing" : value->type_name()));
  }
  return *value;
}

/// The post of `info`, as far as it is given; else what stands for it: the summary, and for a row
/// that has neither its place, so that equal scores of unnamed summaries count as several ratings.
std::uint64_t post_of(const JsonRow& row, const std::string& summary) {
  const nlohmann::json* info = find_field(row.value, "info");
  Post post;
  if (info != nullptr && info->is_object()) {
    const std::string article = optional_text(*info, "article");
    post.body = article.empty() ? optional_text(*info, "post") : article;
    if (!post.body.empty()) {
      post.subreddit = optional_text(*info, "subreddit");
      post.title = optional_text(*info, "title");
    } else {
      post.body = id_in(*info, row.where()).value_or("");
    }
  }
  if (post.body.empty()) {
    post.body = summary.empty() ? row.where() : summary;
  }
  return post_number(post);
}

AxisSummary summary_of(std::span<const PostValue> scores) {
  AxisSummary summary;
  std::vector<PostValue> best;
  for (const PostValue& score : scores) {
    ++summary.histogram[static_cast<std::size_t>(score.value) - 1];
    best.push_back({score.post, score.value == best_score ? 1.0 : 0.0});
  }
  summary.ratings = static_cast<std::int64_t>(scores.size());
  summary.mean = mean_over_posts(scores, Weight::rows);
  summary.best = rate_over_posts(best, Weight::rows);
  return summary;
}

/// Each rating once.
std::vector<AxisRating> distinct(std::span<const AxisRating> ratings) {
  const auto key = [](const AxisRating& rating) {
    return std::tie(rating.post, rating.text, rating.policy, rating.worker, rating.split,
                    rating.scores);
  };
  std::vector<AxisRating> list(ratings.begin(), ratings.end());
  std::ranges::sort(list, {}, key);
  const auto equal = [&](const AxisRating& a, const AxisRating& b) { return key(a) == key(b); };
  list.erase(std::unique(list.begin(), list.end(), equal), list.end());
  return list;
}

std::map<std::string, AxisSummaries> grouped(
    std::span<const AxisRating> ratings,
    const std::function<const std::string&(const AxisRating&)>& name_of) {
  std::map<std::string, std::map<std::string, std::vector<PostValue>>> scores;
  for (const AxisRating& rating : ratings) {
    const std::string& name = name_of(rating);
    for (std::size_t axis = 0; axis < axis_names.size(); ++axis) {
      if (rating.scores[axis]) {
        scores[name.empty() ? "not given" : name][axis_names[axis]].push_back(
            {rating.post, static_cast<double>(*rating.scores[axis])});
      }
    }
  }
  std::map<std::string, AxisSummaries> result;
  for (const auto& [name, axes] : scores) {
    for (const auto& [axis, values] : axes) {
      result[name].emplace(axis, summary_of(values));
    }
  }
  return result;
}

std::string table(const char* title, const std::map<std::string, AxisSummaries>& groups) {
  std::string text = fmt::format("{:<24} {:<10} {:>8} {:>22} {:>24}", title, "axis", "ratings",
                                 "mean", "share of 7s");
  for (int score = 1; score <= best_score; ++score) {
    text += fmt::format("{:>6}", score);
  }
  text += '\n';
  for (const auto& [name, axes] : groups) {
    for (const char* axis : axis_names) {
      if (const auto found = axes.find(axis); found != axes.end()) {
        const AxisSummary& summary = found->second;
        text += fmt::format("{:<24} {:<10} {:>8} {:>22} {:>24}", name, axis, summary.ratings,
                            to_text(summary.mean, 2), to_text(summary.best));
        for (const std::int64_t count : summary.histogram) {
          text += fmt::format("{:>6}", count);
        }
        text += '\n';
      }
    }
  }
  return text;
}

nlohmann::ordered_json groups_json(const std::map<std::string, AxisSummaries>& groups) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, axes] : groups) {
    for (const auto& [axis, summary] : axes) {
      json[name][axis] = {{"ratings", summary.ratings},
                          {"mean", mean_json(summary.mean)},
                          {"share_of_7", rate_json(summary.best)},
                          {"histogram", summary.histogram}};
    }
  }
  return json;
}

}  // namespace

AxisRating parse_axis_rating(const JsonRow& row) {
  const std::string where = row.where();
  const auto& summary = object_field(row.value, "summary", where, "summary");
  const auto& axes = object_field(summary, "axes", where, "summary.axes");
  AxisRating rating{.policy = optional_text(summary, "policy"),
                    .text = optional_text(summary, "text"),
                    .post = post_of(row, optional_text(summary, "text")),
                    .worker = optional_text(row.value, "worker"),
                    .split = optional_text(row.value, "split"),
                    .scores = {}};
  for (std::size_t axis = 0; axis < axis_names.size(); ++axis) {
    const nlohmann::json* value = find_field(axes, axis_names[axis]);
    if (value == nullptr || value->is_null()) {
      continue;
    }
    if (!value->is_number_integer() || *value < 1 || *value > best_score) {
      throw BadRow(fmt::format(
          "{}: the field `summary.axes.{}` is {}; expected a whole number from 1 to 7.", where,
          axis_names[axis], value->is_number() ? value->dump() : value->type_name()));
    }
    rating.scores[axis] = value->get<int>();
  }
  if (std::ranges::none_of(rating.scores, [](const auto& score) { return score.has_value(); })) {
    throw BadRow(fmt::format(
        "{}: `summary.axes` has none of overall, accuracy, coverage, coherence.", where));
  }
  return rating;
}

AxesReport report_axes(std::span<const AxisRating> ratings) {
  const std::vector<AxisRating> counting = distinct(ratings);
  return {
      .by_policy = grouped(
          counting, [](const AxisRating& rating) -> const std::string& { return rating.policy; }),
      .by_worker = grouped(
          counting, [](const AxisRating& rating) -> const std::string& { return rating.worker; }),
      .repeated = static_cast<std::int64_t>(ratings.size() - counting.size())};
}

std::string to_text(const AxesReport& report) {
  std::string text = table("policy", report.by_policy);
  if (report.by_worker.size() > 1) {
    text += '\n' + table("worker", report.by_worker);
  }
  return text;
}

nlohmann::ordered_json to_json(const AxesReport& report) {
  return {{"by_policy", groups_json(report.by_policy)},
          {"by_worker", groups_json(report.by_worker)}};
}

}  // namespace precis
