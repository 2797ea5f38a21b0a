#include "kernels/exact_sum.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace precis {
namespace {

// Terms of one exponent are integers of one scale: they are first added up in a table by their
// exponent, and the table's rows enter the long sum once a stretch.
constexpr std::size_t exponents = 256;
// Several tables in turn, since neighbouring terms often have the same exponent and each addition
// would wait for the one before.
constexpr std::size_t tables = 4;
// Squares of 24-bit significands stay below 2^64 in so many.
constexpr std::size_t stretch = 1 << 16;

constexpr int fraction_bits = 23;
constexpr std::uint32_t fraction_mask = (1U << fraction_bits) - 1;
// A number with exponent e and significand m is m 2^(max(e,1) - 150).
constexpr int scale = 150;
constexpr int lowest = 1074;

struct Parts {
  std::size_t exponent;
  std::uint32_t significand;
  std::uint32_t negative;  // 0 or 1
};

inline Parts parts_of(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t exponent = bits >> fraction_bits & 0xffU;
  const std::uint32_t leading = exponent != 0 ? 1U << fraction_bits : 0U;
  // Infinities of both signs must not cancel.
  const std::uint32_t finite = exponent != 0xffU ? 1U : 0U;
  return {exponent, (bits & fraction_mask) | leading, bits >> 31 & finite};
}

struct Plain {
  static constexpr int power = 1;
  static std::uint64_t term(const Parts& parts) {
    // Two's complement: the table's sums are signed. Signs are too random for a branch.
    const std::uint64_t flip = 0 - std::uint64_t{parts.negative};
    return (parts.significand ^ flip) - flip;
  }
  static bool is_negative(std::uint64_t sum) { return sum >> 63 != 0; }
};

struct Square {
  static constexpr int power = 2;
  static std::uint64_t term(const Parts& parts) {
    return std::uint64_t{parts.significand} * parts.significand;
  }
  static bool is_negative(std::uint64_t) { return false; }
};

template <class Kind>
void add_not_finite(std::int64_t* words, std::span<const float> x) {
  for (const float element : x) {
    if (!std::isfinite(element)) {
      const auto term = static_cast<double>(element);
      words[0] |= not_finite_field(Kind::power == 2 ? term * term : term);
    }
  }
}

template <class Kind>
void add_stretch(std::int64_t* words, std::span<const float> x) {
  assert(x.size() <= stretch);
  std::uint64_t table[tables][exponents] = {};
  std::size_t i = 0;
  for (; i + tables <= x.size(); i += tables) {
    for (std::size_t t = 0; t < tables; ++t) {
      const Parts parts = parts_of(x[i + t]);
      table[t][parts.exponent] += Kind::term(parts);
    }
  }
  for (; i < x.size(); ++i) {
    const Parts parts = parts_of(x[i]);
    table[0][parts.exponent] += Kind::term(parts);
  }
  for (std::size_t e = 0; e < exponents; ++e) {
    const std::uint64_t sum = table[0][e] + table[1][e] + table[2][e] + table[3][e];
    if (sum == 0) {
      continue;
    }
    if (e == exponents - 1) {
      add_not_finite<Kind>(words, x);
      continue;
    }
    const bool negative = Kind::is_negative(sum);
    const int position =
        Kind::power * (static_cast<int>(std::max<std::size_t>(e, 1)) - scale) + lowest;
    add_bits_exactly(words, negative ? 0 - sum : sum, position, negative);
  }
}

template <class Kind>
void add_all(std::int64_t* words, std::span<const float> x) {
  while (!x.empty()) {
    const std::size_t count = std::min(x.size(), stretch);
    add_stretch<Kind>(words, x.first(count));
    x = x.subspan(count);
    carry_exact_sum(words);
  }
}

}  // namespace

ExactSum::ExactSum(std::span<const std::int64_t> words) {
  assert(words.size() == words_.size());
  std::copy(words.begin(), words.end(), words_.begin());
  carry_exact_sum(words_.data());
}

void ExactSum::add(double x) {
  add_exactly(words_.data(), x);
  carry_exact_sum(words_.data());
}

void ExactSum::add(std::span<const float> x) { add_all<Plain>(words_.data(), x); }

void ExactSum::add_squares(std::span<const float> x) { add_all<Square>(words_.data(), x); }

void ExactSum::merge(const ExactSum& other) {
  for (std::size_t i = 0; i < words_.size(); ++i) {
    words_[i] += other.words_[i];
  }
  carry_exact_sum(words_.data());
}

ExactSum ExactSum::negated() const {
  ExactSum out = *this;
  for (std::int64_t& word : std::span(out.words_).subspan(1)) {
    word = -word;
  }
  out.words_[0] = words_[0] & has_nan;
  out.words_[0] |= (words_[0] & has_infinity) != 0 ? has_negative_infinity : 0;
  out.words_[0] |= (words_[0] & has_negative_infinity) != 0 ? has_infinity : 0;
  carry_exact_sum(out.words_.data());
  return out;
}

double ExactSum::value() const {
  if (words_[0] != 0) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return words_[0] == has_infinity            ? infinity
           : words_[0] == has_negative_infinity ? -infinity
                                                : std::numeric_limits<double>::quiet_NaN();
  }
  const bool negative = words_.back() < 0;
  const auto digits = negative ? negated().words_ : words_;
  std::size_t top = digits.size() - 1;
  while (top > 1 && digits[top] == 0) {
    --top;
  }
  // The 64 highest bits, and whatever is below them as one bit: enough to round once.
  auto high = static_cast<std::uint64_t>(digits[top]);
  int exponent = 32 * (static_cast<int>(top) - 1) - lowest;
  std::size_t next = top;
  while (next > 1 && high >> 32 == 0) {
    high = high << 32 | static_cast<std::uint64_t>(digits[--next]);
    exponent -= 32;
  }
  if (high == 0) {
    return 0.0;
  }
  if (next > 1) {
    const int zeros = std::countl_zero(high);
    const auto below = static_cast<std::uint64_t>(digits[--next]);
    high = high << zeros | (zeros > 0 ? below >> (32 - zeros) : 0);
    exponent -= zeros;
    bool rest = (below << zeros & 0xffff'ffffU) != 0;
    while (next > 1) {
      rest |= digits[--next] != 0;
    }
    high |= rest ? 1U : 0U;
  }
  const double magnitude = std::ldexp(static_cast<double>(high), exponent);
  return negative ? -magnitude : magnitude;
}

std::vector<ExactSum> exact_sums(std::span<const std::int64_t> words) {
  constexpr auto size = static_cast<std::size_t>(exact_sum_words);
  assert(words.size() % size == 0);
  std::vector<ExactSum> sums;
  for (; !words.empty(); words = words.subspan(size)) {
    sums.emplace_back(words.first(size));
  }
  return sums;
}

}  // namespace precis
