// Digests of tensors and files that do not depend on how a tensor was laid out over ranks.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/view.hpp"
#include "parallel/shard.hpp"

namespace precis {

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014, constants of Stafford's variant 13): every
/// bit of the input changes every bit of the result with probability one half.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// What one element adds to its tensor's digest: `index` is its row-major place in the whole
/// tensor, `bits` its bits extended with zeros to 64.
[[nodiscard]] constexpr std::uint64_t mix_element(std::uint64_t index,
                                                  std::uint64_t bits) noexcept {
  return mix64(mix64(index + 0x9e3779b97f4a7c15U) ^ bits);
}

/// The digest of elements `first`, `first + 1`, ... of a tensor, sum modulo 2^64 of `mix_element`;
/// `size` is the bytes of an element (1, 2, 4 or 8), `bytes` holds count·size bytes. Parts add up
/// to the whole.
[[nodiscard]] std::uint64_t digest_elements(const std::byte* bytes, std::int64_t size,
                                            std::int64_t count, std::int64_t first);

/// The digest of one shard: `part` holds the shard's box (its extent, row-major). The digests of
/// boxes that tile a tensor add up to the tensor's own.
[[nodiscard]] std::uint64_t digest_shard(ConstView part, const Shard& shard);

/// The digest of a whole tensor.
[[nodiscard]] std::uint64_t digest(ConstView tensor);

/// The digest of a text or a row of bytes.
[[nodiscard]] std::uint64_t digest(std::string_view text);

}  // namespace precis
