#include "base/random.hpp"

#include <Random123/philox.h>

#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>

namespace precis {

RandomBlock random_block(std::uint64_t seed, Purpose purpose, std::uint64_t episode,
                         std::uint32_t position, std::uint32_t index) {
  assert(episode >> 48 == 0);
  const auto high = static_cast<std::uint32_t>(episode >> 32) | static_cast<std::uint32_t>(purpose)
                                                                    << 16;
  const r123::Philox4x32::ctr_type counter{
      {index, position, static_cast<std::uint32_t>(episode), high}};
  const r123::Philox4x32::key_type key{
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const auto block = r123::Philox4x32{}(counter, key);
  return {block[0], block[1], block[2], block[3]};
}

double uniform_from(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 32 | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

std::array<double, 2> normals_from(const RandomBlock& block) {
  const double radius = std::sqrt(-2.0 * std::log(uniform_from(block[0], block[1])));
  const double angle = 2.0 * std::numbers::pi * uniform_from(block[2], block[3]);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

std::uint64_t name_number(std::string_view name) {
  // FNV-1a, folded to 48 bits: names are few, so that a collision would be seen by the tests of a
  // family.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return (hash ^ hash >> 48) & 0xffffffffffffU;
}

std::uint32_t RandomStream::next() {
  const auto place = drawn_ % 4;
  if (place == 0) {
    const std::uint64_t index = drawn_ / 4;
    block_ = random_block(seed_, purpose_, episode_, static_cast<std::uint32_t>(index >> 32),
                          static_cast<std::uint32_t>(index));
  }
  ++drawn_;
  return block_[place];
}

double RandomStream::uniform() {
  const auto high = next();
  const auto low = next();
  return uniform_from(high, low);
}

std::uint32_t RandomStream::below(std::uint32_t n) {
  assert(n > 0);
  // Values under 2^32 mod n would make the low results likelier.
  const std::uint32_t rejected = (0U - n) % n;
  std::uint32_t value = next();
  while (value < rejected) {
    value = next();
  }
  return value % n;
}

std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed, Purpose purpose,
                                      std::uint64_t episode) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  RandomStream stream(seed, purpose, episode);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[stream.below(static_cast<std::uint32_t>(i))]);
  }
  return order;
}

}  // namespace precis
