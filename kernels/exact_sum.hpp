// Sums without rounding: the same bits in any order of the terms, however they are cut and merged.
//
// A sum is an array of integers, a fixed-point number that holds every finite double exactly (a
// long accumulator; Kulisch and Miranker 1986). Two sums are merged by adding their integers one by
// one, so ranks combine theirs by an all-reduce of i64. The arithmetic is constexpr on bare
// pointers, so that CUDA's compiler takes it too.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace precis {

/// Integers of a sum: word 0 has what there was of terms that are not finite, word 1 + i is a
/// multiple of 2^(32 i - 1074). All zero: an empty sum.
inline constexpr std::int64_t exact_sum_words = 68;

/// The fields of word 0, wide enough to be added over ranks: 0, or how many sums had such a term.
inline constexpr int not_finite_field_bits = 20;
inline constexpr std::int64_t has_infinity = 1;
inline constexpr std::int64_t has_negative_infinity = has_infinity << not_finite_field_bits;
inline constexpr std::int64_t has_nan = has_negative_infinity << not_finite_field_bits;

/// The field of a term that is not finite.
constexpr std::int64_t not_finite_field(double x) {
  if (x != x) {
    return has_nan;
  }
  return x > 0 ? has_infinity : has_negative_infinity;
}

/// Adds sign * magnitude * 2^(position - 1074), for a position in [0, 2046]. At most 2^29 times
/// between two calls of `carry_exact_sum`.
constexpr void add_bits_exactly(std::int64_t* words, std::uint64_t magnitude, int position,
                                bool negative) {
  constexpr std::uint64_t low_half = 0xffff'ffffU;
  const int shift = position % 32;
  const std::uint64_t low = (magnitude & low_half) << shift;
  const std::uint64_t high = (magnitude >> 32) << shift;
  const auto part0 = static_cast<std::int64_t>(low & low_half);
  const auto part1 = static_cast<std::int64_t>((low >> 32) + (high & low_half));
  const auto part2 = static_cast<std::int64_t>(high >> 32);
  std::int64_t* const word = words + 1 + position / 32;
  word[0] += negative ? -part0 : part0;
  word[1] += negative ? -part1 : part1;
  word[2] += negative ? -part2 : part2;
}

/// Adds x. At most 2^29 times between two calls of `carry_exact_sum`.
constexpr void add_exactly(std::int64_t* words, double x) {
  constexpr int fraction_bits = 52;
  constexpr int not_finite = 0x7ff;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const int exponent = static_cast<int>(bits >> fraction_bits) & not_finite;
  if (exponent == not_finite) {
    words[0] |= not_finite_field(x);
    return;
  }
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << fraction_bits) - 1);
  const std::uint64_t magnitude =
      exponent == 0 ? fraction : fraction | std::uint64_t{1} << fraction_bits;
  add_bits_exactly(words, magnitude, exponent == 0 ? 0 : exponent - 1, bits >> 63 != 0);
}

/// Brings every word but the last into [0, 2^32), and the fields of word 0 to 0 or 1: equal sums
/// then have equal words.
constexpr void carry_exact_sum(std::int64_t* words) {
  constexpr std::int64_t field = has_negative_infinity - 1;
  const std::int64_t found = words[0];
  words[0] = 0;
  for (std::int64_t one = has_infinity; one <= has_nan; one <<= not_finite_field_bits) {
    words[0] |= (found & field * one) != 0 ? one : 0;
  }
  for (std::int64_t i = 1; i + 1 < exact_sum_words; ++i) {
    const std::int64_t carry = words[i] >> 32;
    words[i] -= carry * (std::int64_t{1} << 32);
    words[i + 1] += carry;
  }
}

/// A sum as a value.
class ExactSum {
 public:
  ExactSum() = default;
  /// A sum that a kernel or other ranks have formed.
  explicit ExactSum(std::span<const std::int64_t> words);

  void add(double x);
  void add(std::span<const float> x);
  void add_squares(std::span<const float> x);
  void merge(const ExactSum& other);
  /// The sum of the same terms, each of the other sign.
  [[nodiscard]] ExactSum negated() const;

  /// The double nearest to the sum, ties to even; infinite beyond the largest. With terms that are
  /// not finite, what adding them gives: NaN, or the infinity that was there.
  [[nodiscard]] double value() const;
  /// Its integers, carried.
  [[nodiscard]] std::span<const std::int64_t> words() const noexcept { return words_; }

  friend bool operator==(const ExactSum&, const ExactSum&) = default;

 private:
  std::array<std::int64_t, static_cast<std::size_t>(exact_sum_words)> words_{};
};

/// Sums stored end to end.
[[nodiscard]] std::vector<ExactSum> exact_sums(std::span<const std::int64_t> words);

}  // namespace precis
