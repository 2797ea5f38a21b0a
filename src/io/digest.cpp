#include "io/digest.hpp"

#include <cassert>
#include <cstring>

namespace precis {

namespace {

template <class Bits>
std::uint64_t digest_typed(const std::byte* bytes, std::int64_t count, std::int64_t first) {
  std::uint64_t sum = 0;
  // The sum is modulo 2^64 and so the same in any order.
#pragma omp parallel for simd reduction(+ : sum) schedule(static) if (count > 65536)
  for (std::int64_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, bytes + i * static_cast<std::int64_t>(sizeof(Bits)), sizeof(Bits));
    sum += mix_element(static_cast<std::uint64_t>(first + i), bits);
  }
  return sum;
}

}  // namespace

std::uint64_t digest_elements(const std::byte* bytes, std::int64_t size, std::int64_t count,
                              std::int64_t first) {
  switch (size) {
    case 1:
      return digest_typed<std::uint8_t>(bytes, count, first);
    case 2:
      return digest_typed<std::uint16_t>(bytes, count, first);
    case 4:
      return digest_typed<std::uint32_t>(bytes, count, first);
    default:
      assert(size == 8);
      return digest_typed<std::uint64_t>(bytes, count, first);
  }
}

std::uint64_t digest_shard(ConstView part, const Shard& shard) {
  const std::int64_t size = size_of(part.dtype());
  assert(part.numel() == shard.numel() || shard.extent.empty());
  if (shard.is_whole()) {
    return digest_elements(part.bytes(), size, part.numel(), 0);
  }
  // Runs along the last axis are contiguous in the whole tensor too; the odometer steps over the
  // others.
  const std::size_t rank = shard.extent.size();
  const std::int64_t run = shard.extent[rank - 1];
  std::uint64_t sum = 0;
  Extents index(rank, 0);
  for (std::int64_t done = 0; done < shard.numel(); done += run) {
    std::int64_t first = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      first = first * shard.global_shape[axis] + shard.offset[axis] + index[axis];
    }
    sum += digest_elements(part.bytes() + done * size, size, run, first);
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      if (++index[axis] < shard.extent[axis]) {
        break;
      }
      index[axis] = 0;
    }
  }
  return sum;
}

std::uint64_t digest(ConstView tensor) {
  return digest_elements(tensor.bytes(), size_of(tensor.dtype()), tensor.numel(), 0);
}

std::uint64_t digest(std::string_view text) {
  return digest_elements(reinterpret_cast<const std::byte*>(text.data()), 1,
                         static_cast<std::int64_t>(text.size()), 0);
}

}  // namespace precis
