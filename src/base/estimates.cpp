#include "base/estimates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace precis {
namespace {

/// Equal values of a post.
struct Run {
  PostValue row;
  std::int64_t count = 0;
};

std::vector<Run> runs_of(std::span<const PostValue> values) {
  std::vector<PostValue> sorted(values.begin(), values.end());
  std::ranges::sort(sorted, [](const PostValue& a, const PostValue& b) {
    return a.post != b.post ? a.post < b.post : a.value < b.value;
  });
  std::vector<Run> runs;
  for (const PostValue& value : sorted) {
    if (runs.empty() || runs.back().row.post != value.post ||
        runs.back().row.value != value.value) {
      runs.push_back({.row = value});
    }
    ++runs.back().count;
  }
  return runs;
}

std::int64_t common_divisor(std::span<const Run> runs) {
  std::int64_t divisor = 0;
  for (const Run& run : runs) {
    divisor = std::gcd(divisor, run.count);
  }
  return divisor;
}

struct PostMean {
  double weight = 1;
  double mean = 0;
  double rows = 1;
};

/// Sorted, so that sums over them have one order.
std::vector<PostMean> post_means(std::span<const PostValue> values, Weight weight) {
  const std::vector<Run> runs = runs_of(values);
  const std::int64_t divisor = common_divisor(runs);
  std::vector<PostMean> means;
  for (std::size_t first = 0; first < runs.size();) {
    std::size_t end = first;
    while (end < runs.size() && runs[end].row.post == runs[first].row.post) {
      ++end;
    }
    const auto own = std::span(runs).subspan(first, end - first);
    const std::int64_t by = weight == Weight::rows ? divisor : common_divisor(own);
    double sum = 0;
    double rows = 0;
    for (const Run& run : own) {
      const std::int64_t count = run.count / by;
      const auto times = static_cast<double>(count);
      sum += times * run.row.value;
      rows += times;
    }
    means.push_back(
        {.weight = weight == Weight::rows ? rows : 1, .mean = sum / rows, .rows = rows});
    first = end;
  }
  std::ranges::sort(means, [](const PostMean& a, const PostMean& b) {
    return a.mean != b.mean ? a.mean < b.mean : a.weight < b.weight;
  });
  return means;
}

/// The weighted mean of the posts' means, and the variance of it.
struct Spread {
  double mean = 0;
  double variance = 0;  ///< 0 of one post
  double trials = 0;    ///< posts, fewer where their weights differ (Kish 1965)
  double rows = 0;
  std::int64_t posts = 0;
};

Spread spread_of(std::span<const PostMean> means) {
  double sum = 0;
  double weights = 0;
  double squared_weights = 0;
  double rows = 0;
  for (const PostMean& post : means) {
    sum += post.weight * post.mean;
    weights += post.weight;
    squared_weights += post.weight * post.weight;
    rows += post.rows;
  }
  const auto posts = static_cast<double>(means.size());
  Spread spread{.mean = sum / weights,
                .trials = weights * weights / squared_weights,
                .rows = rows,
                .posts = static_cast<std::int64_t>(means.size())};
  if (means.size() > 1) {
    double squares = 0;
    for (const PostMean& post : means) {
      const double part = post.weight * (post.mean - spread.mean);
      squares += part * part;
    }
    spread.variance = squares / (weights * weights) * posts / (posts - 1);
  }
  return spread;
}

/// `quantile` of the normal distribution, or of one with heavier tails.
Rate wilson(double rate, double trials, double quantile) {
  const double square = quantile * quantile;
  const double scale = 1 + square / trials;
  const double centre = (rate + square / (2 * trials)) / scale;
  const double half =
      quantile / scale * std::sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials));
  return {.rate = rate, .low = std::max(0.0, centre - half), .high = std::min(1.0, centre + half)};
}

/// P(|T| <= t) of Student's distribution (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
double student_within(double t, std::int64_t degrees) {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double cosine = std::cos(angle);
  const bool odd = degrees % 2 == 1;
  double term = odd ? cosine : 1;
  double sum = 0;
  for (std::int64_t k = odd ? 1 : 0; k <= degrees - 2; k += 2) {
    sum += term;
    term *= cosine * cosine * static_cast<double>(k + 1) / static_cast<double>(k + 2);
  }
  sum *= std::sin(angle);
  return odd ? 2 / std::numbers::pi * (angle + sum) : sum;
}

}  // namespace

double student_975(std::int64_t degrees) {
  assert(degrees > 0);
  constexpr double z = normal_975;
  constexpr std::int64_t exact_up_to = 100;
  if (degrees > exact_up_to) {  // Cornish and Fisher's expansion, to 1e-9 here
    const auto v = static_cast<double>(degrees);
    const double s = z * z;
    return z + z * (s + 1) / (4 * v) + z * ((5 * s + 16) * s + 3) / (96 * v * v) +
           z * (((3 * s + 19) * s + 17) * s - 15) / (384 * v * v * v);
  }
  double low = z;
  double high = 13;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (student_within(middle, degrees) < 0.95 ? low : high) = middle;
  }
  return (low + high) / 2;
}

Rate wilson_interval(double successes, double trials) {
  assert(trials > 0);
  return wilson(successes / trials, trials, normal_975);
}

Rate rate_over_posts(std::span<const PostValue> values, Weight weight) {
  assert(!values.empty());
  const auto means = post_means(values, weight);
  const Spread spread = spread_of(means);
  const bool each_is_one_trial = std::ranges::all_of(
      means, [](const PostMean& post) { return post.mean == 0 || post.mean == 1; });
  const bool all_equal = means.front().mean == means.back().mean;
  if (each_is_one_trial || all_equal) {
    return wilson(spread.mean, spread.trials, normal_975);
  }
  double trials = spread.mean * (1 - spread.mean) / spread.variance;
  // Where hardly any post makes the rate, their variance says nothing of those that are rare.
  constexpr double few = 5;
  if (spread.trials * std::min(spread.mean, 1 - spread.mean) < few) {
    trials = std::min(trials, spread.rows);
  }
  return wilson(spread.mean, trials, student_975(spread.posts - 1));
}

Mean mean_over_posts(std::span<const PostValue> values, Weight weight) {
  assert(!values.empty());
  const Spread spread = spread_of(post_means(values, weight));
  if (spread.posts == 1) {
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    return {.mean = spread.mean, .low = unknown, .high = unknown};
  }
  const double half = student_975(spread.posts - 1) * std::sqrt(spread.variance);
  return {.mean = spread.mean, .low = spread.mean - half, .high = spread.mean + half};
}

double exact_mean(std::span<const double> values) {
  assert(!values.empty());
  const std::vector<std::uint64_t> one_post(values.size());
  return post_means(with_posts(one_post, values), Weight::posts).front().mean;
}

std::vector<PostValue> with_posts(std::span<const std::uint64_t> posts,
                                  std::span<const double> values) {
  assert(posts.size() == values.size());
  std::vector<PostValue> result;
  result.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    result.push_back({.post = posts[i], .value = values[i]});
  }
  return result;
}

bool too_wide_to_tell(double low, double high) {
  constexpr double widest = 0.25;
  return high - low > widest;
}

std::string to_text(const Rate& rate, int digits) {
  return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", rate.rate, digits, rate.low, digits, rate.high,
                     digits);
}

std::string to_text(const Mean& mean, int digits) {
  if (std::isnan(mean.low)) {
    return fmt::format("{:.{}f}", mean.mean, digits);
  }
  return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", mean.mean, digits, mean.low, digits, mean.high,
                     digits);
}

}  // namespace precis
