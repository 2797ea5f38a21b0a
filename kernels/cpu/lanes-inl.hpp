// Walks over rows in whole vectors, and sums that do not lose digits over long rows. Compiled once
// for each instruction set.
#if defined(PRECIS_KERNELS_CPU_LANES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef PRECIS_KERNELS_CPU_LANES_INL_HPP
#undef PRECIS_KERNELS_CPU_LANES_INL_HPP
#else
#define PRECIS_KERNELS_CPU_LANES_INL_HPP
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/partial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using FloatVector = hn::Vec<Floats>;
using Doubles = hn::ScalableTag<double>;
using DoubleVector = hn::Vec<Doubles>;

HWY_INLINE std::int64_t float_lanes() { return static_cast<std::int64_t>(hn::Lanes(Floats())); }

/// The first `count` lanes from memory, `fill` in the others.
HWY_INLINE FloatVector load_filled(const float* from, std::int64_t count, float fill) {
  const Floats d;
  const auto lanes = static_cast<std::size_t>(count);
  return hn::IfThenElse(hn::FirstN(d, lanes), load_part(d, from, lanes), hn::Set(d, fill));
}

/// Calls f(vector) for x[0, n) in order; the last vector is filled up with `fill`.
template <class F>
HWY_INLINE void for_each_vector(const float* x, std::int64_t n, float fill, F f) {
  std::int64_t i = 0;
  for (; i + float_lanes() <= n; i += float_lanes()) {
    f(hn::LoadU(Floats(), x + i));
  }
  if (i < n) {
    f(load_filled(x + i, n - i, fill));
  }
}

/// x[i] = f(x[i]) for i in [0, n).
template <class F>
HWY_INLINE void transform(float* x, std::int64_t n, F f) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + float_lanes() <= n; i += float_lanes()) {
    hn::StoreU(f(hn::LoadU(d, x + i)), d, x + i);
  }
  if (i < n) {
    const auto rest = static_cast<std::size_t>(n - i);
    store_part(f(load_part(d, x + i, rest)), d, x + i, rest);
  }
}

/// A sum of f32 vectors in f64 lanes.
class WideSum {
 public:
  // Written out: GCC compiles an implicit constructor for the baseline instruction set.
  HWY_INLINE WideSum() : low_(hn::Zero(Doubles())), high_(hn::Zero(Doubles())) {}
  HWY_INLINE void add(FloatVector x) {
#if HWY_TARGET == HWY_SCALAR
    low_ = hn::Add(low_, hn::PromoteTo(Doubles(), x));
#else
    const hn::Half<Floats> half;
    low_ = hn::Add(low_, hn::PromoteTo(Doubles(), hn::LowerHalf(half, x)));
    high_ = hn::Add(high_, hn::PromoteTo(Doubles(), hn::UpperHalf(half, x)));
#endif
  }
  [[nodiscard]] HWY_INLINE double total() const {
    return hn::GetLane(hn::SumOfLanes(Doubles(), hn::Add(low_, high_)));
  }

 private:
  DoubleVector low_;
  DoubleVector high_;
};

/// A sum of f32 vectors in f32 lanes that is moved to f64 lanes after short stretches, so that its
/// error does not grow with their number.
class StretchSum {
 public:
  HWY_INLINE StretchSum() : narrow_(hn::Zero(Floats())), wide_() {}
  HWY_INLINE void add(FloatVector x) { close(hn::Add(narrow_, x)); }
  /// Adds x * y.
  HWY_INLINE void add_product(FloatVector x, FloatVector y) { close(hn::MulAdd(x, y, narrow_)); }
  [[nodiscard]] HWY_INLINE double total() {
    wide_.add(narrow_);
    narrow_ = hn::Zero(Floats());
    return wide_.total();
  }

 private:
  static constexpr int stretch_ = 32;

  HWY_INLINE void close(FloatVector narrow) {
    narrow_ = narrow;
    if (++added_ == stretch_) {
      wide_.add(narrow_);
      narrow_ = hn::Zero(Floats());
      added_ = 0;
    }
  }

  FloatVector narrow_;
  WideSum wide_;
  int added_ = 0;
};

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
