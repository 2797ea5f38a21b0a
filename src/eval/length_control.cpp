#include "eval/length_control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

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

double log_likelihood(std::span<const LengthObservation> of, const Line& line) {
  double sum = 0;
  for (const LengthObservation& one : of) {
    const double z = line.at(one.log_ratio);
    sum += one.win * z - (std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))));
  }
  return sum;
}

Matrix information(std::span<const LengthObservation> of, const Line& line) {
  Matrix sum;
  for (const LengthObservation& one : of) {
    const double p = sigmoid(line.at(one.log_ratio));
    sum.add_product(p * (1 - p), 1, one.log_ratio);
  }
  return sum;
}

std::array<double, 2> score(const LengthObservation& one, const Line& line) {
  const double residual = one.win - sigmoid(line.at(one.log_ratio));
  return {residual, residual * one.log_ratio};
}

/// Newton's method; the likelihood is concave, and halving a step that lowers it makes it converge
/// from anywhere where there is a maximum.
Line fit(std::span<const LengthObservation> of) {
  constexpr int most_steps = 200;
  Line line;
  double likelihood = log_likelihood(of, line);
  for (int step = 0; step < most_steps; ++step) {
    std::array<double, 2> gradient{};
    for (const LengthObservation& one : of) {
      const auto [first, second] = score(one, line);
      gradient[0] += first;
      gradient[1] += second;
    }
    const Matrix inverse = information(of, line).inverse();
    const Line move{.intercept = inverse.a * gradient[0] + inverse.b * gradient[1],
                    .slope = inverse.b * gradient[0] + inverse.c * gradient[1]};
    Line next;
    double found = -std::numeric_limits<double>::infinity();
    for (double size = 1; size > 1e-6 && !(found >= likelihood); size /= 2) {
      next = {.intercept = line.intercept + size * move.intercept,
              .slope = line.slope + size * move.slope};
      found = log_likelihood(of, next);
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

/// The variance of the intercept.
double intercept_variance(std::span<const LengthObservation> of, const Line& line) {
  std::map<std::size_t, std::array<double, 2>> groups;
  for (const LengthObservation& one : of) {
    const auto [first, second] = score(one, line);
    auto& sum = groups[one.group];
    sum[0] += first;
    sum[1] += second;
  }
  const Matrix inverse = information(of, line).inverse();
  double robust = 0;
  for (const auto& [group, sum] : groups) {
    const double part = inverse.a * sum[0] + inverse.b * sum[1];
    robust += part * part;
  }
  if (groups.size() > 1) {
    const auto count = static_cast<double>(groups.size());
    robust *= count / (count - 1);
  }
  return std::max(inverse.a, robust);
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double x) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
};

/// Why there is no regression that fits best, or nothing. One exists where the ranges of the wins'
/// and of the losses' ratios overlap (Albert and Anderson 1984); a tie is half of each.
std::string fault_of(std::span<const LengthObservation> of) {
  Range wins, losses, all;
  for (const LengthObservation& one : of) {
    all.add(one.log_ratio);
    if (one.win > 0) {
      wins.add(one.log_ratio);
    }
    if (one.win < 1) {
      losses.add(one.log_ratio);
    }
  }
  if (of.empty()) {
    return "there are no comparisons";
  }
  if (wins.low > wins.high || losses.low > losses.high) {
    return fmt::format("a {} every comparison", losses.low > losses.high ? "wins" : "loses");
  }
  if (all.low == all.high) {
    return "one summary is longer by the same factor in every comparison";
  }
  if (wins.low >= losses.high || losses.low >= wins.high) {
    return fmt::format(
        "the {} summary wins wherever lengths differ enough, so that length alone "
        "separates wins from losses",
        wins.low >= losses.high ? "longer" : "shorter");
  }
  return {};
}

}  // namespace

EqualLength win_rate_at_equal_length(std::span<const LengthObservation> of) {
  const bool all_equal = !of.empty() && std::ranges::all_of(of, [](const LengthObservation& one) {
    return one.log_ratio == 0;
  });
  if (all_equal) {
    double wins = 0;
    for (const LengthObservation& one : of) {
      wins += one.win;
    }
    return {.rate = wilson_interval(wins, static_cast<std::int64_t>(of.size())),
            .slope = 0,
            .reason = {}};
  }
  if (std::string reason = fault_of(of); !reason.empty()) {
    return {.rate = {}, .slope = 0, .reason = std::move(reason)};
  }
  const Line line = fit(of);
  const double half = normal_975 * std::sqrt(intercept_variance(of, line));
  return {.rate = Rate{.rate = sigmoid(line.intercept),
                       .low = sigmoid(line.intercept - half),
                       .high = sigmoid(line.intercept + half)},
          .slope = line.slope,
          .reason = {}};
}

double log_length_ratio(double words_a, double words_b) {
  return std::log(std::max(words_a, 1.0) / std::max(words_b, 1.0));
}

nlohmann::ordered_json to_json(const EqualLength& of) {
  if (!of.rate) {
    return {{"reason", of.reason}};
  }
  nlohmann::ordered_json json = rate_json(*of.rate);
  json["slope"] = of.slope;
  return json;
}

std::string to_text(const EqualLength& of) {
  if (!of.rate) {
    return fmt::format("At equal length no win rate can be given: {}.", of.reason);
  }
  return fmt::format(
      "At equal length: win rate {:.3f} (95% interval {:.3f} to {:.3f}), by logistic regression on "
      "the log ratio of the lengths in words, slope {:.2f}.",
      of.rate->rate, of.rate->low, of.rate->high, of.slope);
}

}  // namespace precis
