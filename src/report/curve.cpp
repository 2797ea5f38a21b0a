#include "report/curve.hpp"

#include <cmath>

namespace precis {

void Curve::join(Bucket& into, const Bucket& other) {
  into.low = other.low.y < into.low.y ? other.low : into.low;
  into.high = other.high.y > into.high.y ? other.high : into.high;
  into.sum_x += other.sum_x;
  into.sum_y += other.sum_y;
  into.count += other.count;
}

void Curve::add(double x, double y) {
  if (!std::isfinite(y)) {
    ++not_finite_;
    return;
  }
  const Point point{x, y};
  first_ = count_ == 0 ? point : first_;
  smallest_ = count_ == 0 || y < smallest_.y ? point : smallest_;
  largest_ = count_ == 0 || y > largest_.y ? point : largest_;
  last_ = point;
  ++count_;
  sum_ += y;
  const Bucket one{.low = point, .high = point, .sum_x = x, .sum_y = y, .count = 1};
  if (!buckets_.empty() && buckets_.back().count < bucket_size_) {
    join(buckets_.back(), one);
    return;
  }
  if (buckets_.size() == most_points / 2) {
    for (std::size_t i = 0; i < buckets_.size() / 2; ++i) {
      buckets_[i] = buckets_[2 * i];
      join(buckets_[i], buckets_[2 * i + 1]);
    }
    buckets_.resize(buckets_.size() / 2);
    bucket_size_ *= 2;
  }
  buckets_.push_back(one);
}

double Curve::mean_from(double from) const {
  double sum = 0;
  double count = 0;
  for (const Bucket& bucket : buckets_) {
    const auto size = static_cast<double>(bucket.count);
    if (bucket.sum_x / size >= from) {
      sum += bucket.sum_y;
      count += size;
    }
  }
  return count > 0 ? sum / count : last_.y;
}

Curve::Points Curve::points() const {
  Points points;
  const auto take = [&](const Point& point) {
    points.x.push_back(point.x);
    points.y.push_back(point.y);
  };
  for (const Bucket& bucket : buckets_) {
    const bool low_first = bucket.low.x <= bucket.high.x;
    take(low_first ? bucket.low : bucket.high);
    if (bucket.low.x != bucket.high.x) {
      take(low_first ? bucket.high : bucket.low);
    }
  }
  return points;
}

Curve::Points Curve::smoothed(double share) const {
  Points points;
  const double deviation = share * (last_.x - first_.x);
  const auto middle = [this](std::size_t i) {
    return buckets_[i].sum_x / static_cast<double>(buckets_[i].count);
  };
  std::size_t from = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    const double at = middle(i);
    while (from < i && middle(from) < at - 3 * deviation) {
      ++from;
    }
    double weights = 0;
    double sum = 0;
    for (std::size_t k = from; k < buckets_.size() && middle(k) <= at + 3 * deviation; ++k) {
      const double away = deviation > 0 ? (middle(k) - at) / deviation : 0;
      const double weight = std::exp(-0.5 * away * away);
      weights += weight * static_cast<double>(buckets_[k].count);
      sum += weight * buckets_[k].sum_y;
    }
    points.x.push_back(at);
    points.y.push_back(sum / weights);
  }
  return points;
}

}  // namespace precis
