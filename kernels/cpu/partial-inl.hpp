// Loads and stores of a row's last, incomplete vector: no element beyond the row is touched, and
// the elements take the same vector arithmetic as those of full vectors.

// Included once for each instruction set.
#if defined(PRECIS_KERNELS_CPU_PARTIAL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef PRECIS_KERNELS_CPU_PARTIAL_INL
#undef PRECIS_KERNELS_CPU_PARTIAL_INL
#else
#define PRECIS_KERNELS_CPU_PARTIAL_INL
#endif

#include <algorithm>
#include <cstddef>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The first `count` lanes from memory, zeros in the others.
template <class D>
HWY_INLINE hn::Vec<D> load_part(D d, const float* from, std::size_t count) {
  if (count >= hn::Lanes(d)) {
    return hn::LoadU(d, from);
  }
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float buffer[HWY_LANES(float)] = {};
  std::copy_n(from, count, buffer);
  return hn::Load(d, buffer);
#else
  return hn::MaskedLoad(hn::FirstN(d, count), d, from);
#endif
}

/// Writes the first `count` lanes.
template <class D>
HWY_INLINE void store_part(hn::Vec<D> v, D d, float* to, std::size_t count) {
  if (count >= hn::Lanes(d)) {
    hn::StoreU(v, d, to);
    return;
  }
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN float buffer[HWY_LANES(float)];
  hn::Store(v, d, buffer);
  std::copy_n(buffer, count, to);
#else
  hn::BlendedStore(v, hn::FirstN(d, count), d, to);
#endif
}

/// Zeros from lane `count` on.
template <class D>
HWY_INLINE hn::Vec<D> keep_part(D d, hn::Vec<D> v, std::size_t count) {
  return count >= hn::Lanes(d) ? v : hn::IfThenElseZero(hn::FirstN(d, count), v);
}

}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
