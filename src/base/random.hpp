// Counter-based randomness: every random number is a pure function of (seed, purpose, episode,
// position, index).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace precis {

/// What a random number is for; numbers of two purposes are independent. The values are part of the
/// meaning of a seed: never renumber them.
enum class Purpose : std::uint16_t {
  sampling = 1,
  initial_weights = 2,
  row_shuffle = 3,
  mini_batches = 4,
  synthesis = 5,
  labeler = 6,
  pairing = 7,
  testing = 8,
  prompt_order = 9,
};

using RandomBlock = std::array<std::uint32_t, 4>;

/// Philox4x32-10 (Salmon et al. 2011) with key `seed` and counter (index, position, episode,
/// purpose). `episode` must be below 2^48. The sampling kernel of every backend uses element v % 4
/// of the block with index v / 4 for token v.
[[nodiscard]] RandomBlock random_block(std::uint64_t seed, Purpose purpose, std::uint64_t episode,
                                       std::uint32_t position, std::uint32_t index);

/// A double in (0, 1): 52 random bits and a half.
[[nodiscard]] double uniform_from(std::uint32_t high, std::uint32_t low);

/// Two independent standard normal deviates from one block (Box and Muller 1958), in double.
[[nodiscard]] std::array<double, 2> normals_from(const RandomBlock& block);

/// The 48-bit number that stands for a name (a parameter's, a labeler's) in the episode slot.
[[nodiscard]] std::uint64_t name_number(std::string_view name);

/// A sequence of draws for one (seed, purpose, episode): what host code that needs "the next
/// number" uses. Copying it copies the place in the sequence.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t episode)
      : seed_(seed), purpose_(purpose), episode_(episode) {}

  [[nodiscard]] std::uint32_t next();
  /// In (0, 1).
  [[nodiscard]] double uniform();
  /// True with probability p.
  [[nodiscard]] bool chance(double p) { return uniform() < p; }
  /// Uniform in [0, n), n > 0, without bias (rejection).
  [[nodiscard]] std::uint32_t below(std::uint32_t n);

 private:
  std::uint64_t seed_;
  Purpose purpose_;
  std::uint64_t episode_;
  std::uint64_t drawn_ = 0;
  RandomBlock block_{};
};

/// A uniformly random order of 0 .. n-1 (Fisher and Yates), a function of (seed, purpose, episode)
/// only.
[[nodiscard]] std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed,
                                                    Purpose purpose, std::uint64_t episode);

}  // namespace precis
