// A metric over the steps of a run, in bounded memory however long the run is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace precis {

/// Points with rising x. Beyond some thousand, neighbours are put together, of which the smallest
/// and the largest value stay: so a spike of one step is still seen.
class Curve {
 public:
  static constexpr std::size_t most_points = 2000;

  struct Point {
    double x = 0;
    double y = 0;
  };
  struct Points {
    std::vector<double> x;
    std::vector<double> y;
  };

  /// A value that is not finite is only counted.
  void add(double x, double y);

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t not_finite() const { return not_finite_; }
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] Point first() const { return first_; }
  [[nodiscard]] Point last() const { return last_; }
  [[nodiscard]] Point smallest() const { return smallest_; }
  [[nodiscard]] Point largest() const { return largest_; }

  /// The mean of the values from x = `from` on; in a long curve from about there.
  [[nodiscard]] double mean_from(double from) const;

  /// At most `most_points`: all of them, or the extremes of neighbours.
  [[nodiscard]] Points points() const;
  /// The mean around each place, weighted by a Gaussian whose deviation is `share` of the run's
  /// length. At most half of `most_points`.
  [[nodiscard]] Points smoothed(double share) const;

 private:
  struct Bucket {
    Point low, high;
    double sum_x = 0, sum_y = 0;
    std::int64_t count = 0;
  };
  static void join(Bucket& into, const Bucket& other);

  std::vector<Bucket> buckets_;
  std::int64_t bucket_size_ = 1;
  std::int64_t count_ = 0;
  std::int64_t not_finite_ = 0;
  double sum_ = 0;
  Point first_, last_, smallest_, largest_;
};

}  // namespace precis
