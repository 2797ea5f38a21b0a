// Byte pair merging: the bytes of one piece to token ids.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace precis {

/// Tokens `left` and `right` side by side become `result`; its place in the list is its rank.
struct Merge {
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t result = 0;
  friend bool operator==(const Merge&, const Merge&) = default;
};

/// Memory that merging uses, kept between pieces.
struct BpeScratch {
  struct Symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;  // -1 at the end; a symbol that was merged into another has id -1
  };
  struct Candidate {
    std::int32_t rank;
    std::int32_t position;
    std::int32_t left;
    std::int32_t right;
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

/// Merges by rank, the lowest first and among equals the leftmost (Sennrich et al. 2016; the order
/// of Hugging Face's implementation).
class Bpe {
 public:
  /// `byte_tokens[b]` is the token of byte b, or -1; `merges` in order of rank.
  Bpe(const std::array<std::int32_t, 256>& byte_tokens, std::span<const Merge> merges);

  /// Appends the ids of `piece` (below 2 GiB) to `ids`. O(n log n). Throws Error for a byte that
  /// has no token.
  void encode(std::string_view piece, std::vector<std::int32_t>& ids, BpeScratch& scratch) const;

 private:
  struct Target {
    std::int32_t rank;
    std::int32_t id;
  };

  [[nodiscard]] const Target* find(std::int32_t left, std::int32_t right) const;

  std::array<std::int32_t, 256> byte_tokens_;
  std::unordered_map<std::uint64_t, Target> merges_;
};

}  // namespace precis
