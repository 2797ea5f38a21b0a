#include "eval/length_control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <vector>

#include "base/text.hpp"

namespace precis {
namespace {

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : 1 - 1 / (1 + std::exp(x)); }

/// A symmetric matrix of two rows: [a b; b c].
struct Matrix {
  double a = 0;
  double b = 0;
  double c = 0;

  void add_product(double weight, double x, double y) {
    a += weight * x * x;
    b += weight * x * y;
    c += weight * y * y;
  }
  [[nodiscard]] Matrix inverse() const {
    const double determinant = a * c - b * b;
    return {.a = c / determinant, .b = -b / determinant, .c = a / determinant};
  }
};

struct Line {
  double intercept = 0;
  double slope = 0;
  [[nodiscard]] double at(double x) const { return intercept + slope * x; }
};

/// Equal judgements of a post.
struct Term {
  double win = 0;
  double log_ratio = 0;
  double weight = 0;
};
using PostTerms = std::vector<Term>;

/// In an order that does not depend on that of the judgements, since they are summed; with weights
/// that stay the same if every judgement is repeated k times.
std::vector<PostTerms> terms_of(std::span<const LengthObservation> observations, Weight weight) {
  std::map<std::uint64_t, std::map<std::array<double, 2>, std::int64_t>> counts;
  for (const LengthObservation& one : observations) {
    ++counts[one.post][{one.log_ratio, one.win}];
  }
  std::int64_t divisor = 0;
  for (const auto& [post, own] : counts) {
    for (const auto& [what, count] : own) {
      divisor = std::gcd(divisor, count);
    }
  }
  std::vector<PostTerms> posts;
  for (const auto& [post, own] : counts) {
    std::int64_t by = divisor;
    if (weight == Weight::posts) {
      by = 0;
      for (const auto& [what, count] : own) {
        by += count;
      }
    }
    PostTerms& terms = posts.emplace_back();
    for (const auto& [what, count] : own) {
      terms.push_back({.win = what[1],
                       .log_ratio = what[0],
                       .weight = static_cast<double>(count) / static_cast<double>(by)});
    }
  }
  std::ranges::sort(posts, [](const PostTerms& a, const PostTerms& b) {
    return std::ranges::lexicographical_compare(a, b, [](const Term& x, const Term& y) {
      return std::tie(x.log_ratio, x.win, x.weight) < std::tie(y.log_ratio, y.win, y.weight);
    });
  });
  return posts;
}

double log_likelihood(std::span<const PostTerms> terms, const Line& line) {
  double sum = 0;
  for (const PostTerms& post : terms) {
    for (const Term& one : post) {
      const double z = line.at(one.log_ratio);
      sum += one.weight * (one.win * z - (std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)))));
    }
  }
  return sum;
}

Matrix information(const PostTerms& post, const Line& line) {
  Matrix sum;
  for (const Term& one : post) {
    const double p = sigmoid(line.at(one.log_ratio));
    sum.add_product(one.weight * p * (1 - p), 1, one.log_ratio);
  }
  return sum;
}

Matrix information(std::span<const PostTerms> terms, const Line& line) {
  Matrix sum;
  for (const PostTerms& post : terms) {
    const Matrix own = information(post, line);
    sum.a += own.a;
    sum.b += own.b;
    sum.c += own.c;
  }
  return sum;
}

std::array<double, 2> score(const PostTerms& post, const Line& line) {
  std::array<double, 2> sum{};
  for (const Term& one : post) {
    const double residual = one.weight * (one.win - sigmoid(line.at(one.log_ratio)));
    sum[0] += residual;
    sum[1] += residual * one.log_ratio;
  }
  return sum;
}

/// Newton's method; the likelihood is concave, and halving a step that lowers it makes the method
/// converge from anywhere if there is a maximum.
Line fit(std::span<const PostTerms> terms) {
  constexpr int most_steps = 200;
  Line line;
  double likelihood = log_likelihood(terms, line);
  for (int step = 0; step < most_steps; ++step) {
    std::array<double, 2> gradient{};
    for (const PostTerms& post : terms) {
      const auto [first, second] = score(post, line);
      gradient[0] += first;
      gradient[1] += second;
    }
    const Matrix inverse = information(terms, line).inverse();
    const Line move{.intercept = inverse.a * gradient[0] + inverse.b * gradient[1],
                    .slope = inverse.b * gradient[0] + inverse.c * gradient[1]};
    Line next;
    double found = -std::numeric_limits<double>::infinity();
    for (double size = 1; size > 1e-6 && !(found >= likelihood); size /= 2) {
      next = {.intercept = line.intercept + size * move.intercept,
              .slope = line.slope + size * move.slope};
      found = log_likelihood(terms, next);
    }
    if (!(found >= likelihood)) {
      break;  // at the maximum to rounding
    }
    line = next;
    likelihood = found;
    if (std::abs(move.intercept) + std::abs(move.slope) < 1e-10) {
      break;
    }
  }
  return line;
}

/// Half the width of the intercept's interval; infinite if all that is known of the line comes from
/// one post.
double half_width(std::span<const PostTerms> terms, const Line& line) {
  const Matrix whole = information(terms, line);
  double squares = 0;
  double weights = 0;
  double squared_weights = 0;
  for (const PostTerms& post : terms) {
    // A Newton step from the maximum to that without the post.
    const Matrix own = information(post, line);
    const Matrix rest{.a = whole.a - own.a, .b = whole.b - own.b, .c = whole.c - own.c};
    if (!(rest.a * rest.c - rest.b * rest.b > 0)) {
      return std::numeric_limits<double>::infinity();
    }
    const Matrix inverse = rest.inverse();
    const auto [first, second] = score(post, line);
    const double step = inverse.a * first + inverse.b * second;
    squares += step * step;
    double weight = 0;
    for (const Term& one : post) {
      weight += one.weight;
    }
    weights += weight;
    squared_weights += weight * weight;
  }
  const double own_variance = whole.inverse().a;
  constexpr double rounding = 1e-12;
  if (squares <= rounding * own_variance) {
    return normal_975 * std::sqrt(own_variance * squared_weights / weights);
  }
  const auto posts = static_cast<double>(terms.size());
  return student_975(static_cast<std::int64_t>(terms.size()) - 1) *
         std::sqrt(squares * (posts - 1) / posts);
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double x) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
};

/// "every summary of PPO is 1.36 to 1.43 times as long as SFT's, ..."; nothing unless all ratios
/// lie on one side of 1.
std::string one_sided(const Range& log_ratios, const SideNames& names) {
  if (log_ratios.low <= 0 && log_ratios.high >= 0) {
    return {};
  }
  const bool a_is_longer = log_ratios.low > 0;
  const std::string& longer = a_is_longer ? names.a : names.b;
  const std::string& shorter = a_is_longer ? names.b : names.a;
  const auto factor = [](double log_ratio) {
    return fmt::format("{:.2f}", std::exp(std::abs(log_ratio)));
  };
  const std::string least = factor(a_is_longer ? log_ratios.low : log_ratios.high);
  const std::string most = factor(a_is_longer ? log_ratios.high : log_ratios.low);
  return fmt::format(
      "every summary of {} is {} times as long as {}'{}, so there are no pairs of equal length",
      longer, least == most ? least : fmt::format("{} to {}", least, most), shorter,
      shorter.ends_with('s') ? "" : "s");
}

/// Why there is no regression that fits best, or nothing. One exists where the ranges of the wins'
/// and of the losses' ratios overlap (Albert and Anderson 1984); a tie is half of each.
std::string fault_of(std::span<const LengthObservation> observations, const SideNames& names) {
  Range wins, losses, all;
  for (const LengthObservation& one : observations) {
    all.add(one.log_ratio);
    if (one.win > 0) {
      wins.add(one.log_ratio);
    }
    if (one.win < 1) {
      losses.add(one.log_ratio);
    }
  }
  if (observations.empty()) {
    return "there are no comparisons";
  }
  if (wins.low > wins.high || losses.low > losses.high) {
    return fmt::format("{} {} every comparison", names.a,
                       losses.low > losses.high ? "wins" : "loses");
  }
  if (wins.low >= losses.high || losses.low >= wins.high) {
    if (std::string reason = one_sided(all, names); !reason.empty()) {
      return reason;
    }
    return fmt::format(
        "the {} summary wins wherever lengths differ enough, so that length alone "
        "separates wins from losses",
        wins.low >= losses.high ? "longer" : "shorter");
  }
  return {};
}

}  // namespace

EqualLength win_rate_at_equal_length(std::span<const LengthObservation> observations, Weight weight,
                                     const SideNames& names) {
  const bool all_equal =
      !observations.empty() && std::ranges::all_of(observations, [](const LengthObservation& one) {
        return one.log_ratio == 0;
      });
  if (all_equal) {
    std::vector<PostValue> wins;
    for (const LengthObservation& one : observations) {
      wins.push_back({.post = one.post, .value = one.win});
    }
    return {.rate = rate_over_posts(wins, weight), .slope = 0, .reason = {}};
  }
  if (std::string reason = fault_of(observations, names); !reason.empty()) {
    return {.rate = {}, .slope = 0, .reason = std::move(reason)};
  }
  const std::vector<PostTerms> terms = terms_of(observations, weight);
  if (terms.size() < 3) {
    return {.rate = {},
            .slope = 0,
            .reason = fmt::format("the comparisons are of {}",
                                  counted(static_cast<std::int64_t>(terms.size()), "post"))};
  }
  const Line line = fit(terms);
  const double half = half_width(terms, line);
  return {.rate = Rate{.rate = sigmoid(line.intercept),
                       .low = sigmoid(line.intercept - half),
                       .high = sigmoid(line.intercept + half)},
          .slope = line.slope,
          .reason = {}};
}

double log_length_ratio(double words_a, double words_b) {
  return std::log(std::max(words_a, 1.0) / std::max(words_b, 1.0));
}

nlohmann::ordered_json to_json(const EqualLength& result) {
  if (!result.rate) {
    return {{"reason", result.reason}};
  }
  nlohmann::ordered_json json = rate_json(*result.rate);
  json["slope"] = result.slope;
  return json;
}

std::string to_text(const EqualLength& result) {
  if (!result.rate) {
    return fmt::format("At equal length no win rate can be given: {}.", result.reason);
  }
  return fmt::format(
      "At equal length: win rate {}, by logistic regression on the log ratio of the lengths in "
      "words, slope {:.2f}.",
      to_text(*result.rate), result.slope);
}

}  // namespace precis
