#include "data/bpe.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace precis {
namespace {

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

/// Order of a heap whose top is the lowest rank, and among equals the leftmost.
bool comes_later(const BpeScratch::Candidate& a, const BpeScratch::Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

Bpe::Bpe(const std::array<std::int32_t, 256>& byte_tokens, std::span<const Merge> merges)
    : byte_tokens_(byte_tokens) {
  merges_.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const Merge& merge = merges[rank];
    // The last of two equal lines counts, as in Hugging Face's implementation.
    merges_.insert_or_assign(pair_key(merge.left, merge.right),
                             Target{static_cast<std::int32_t>(rank), merge.result});
  }
}

const Bpe::Target* Bpe::find(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::encode(std::string_view piece, std::vector<std::int32_t>& ids,
                 BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  symbols.clear();
  heap.clear();
  const auto count = static_cast<std::int32_t>(piece.size());
  for (std::int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[static_cast<std::size_t>(i)]);
    require(byte_tokens_[byte] >= 0,
            "The tokenizer has no token for the byte 0x{:02X}, which is not part of UTF-8 text.",
            byte);
    symbols.push_back(
        {.id = byte_tokens_[byte], .previous = i - 1, .next = i + 1 < count ? i + 1 : -1});
  }

  const auto candidate = [&](std::int32_t position) -> std::optional<BpeScratch::Candidate> {
    const auto& left = symbols[static_cast<std::size_t>(position)];
    if (left.next < 0) {
      return std::nullopt;
    }
    const std::int32_t right = symbols[static_cast<std::size_t>(left.next)].id;
    const Target* target = find(left.id, right);
    if (target == nullptr) {
      return std::nullopt;
    }
    return BpeScratch::Candidate{target->rank, position, left.id, right};
  };
  const auto push = [&](std::int32_t position) {
    if (const auto added = candidate(position)) {
      heap.push_back(*added);
      std::push_heap(heap.begin(), heap.end(), comes_later);
    }
  };
  for (std::int32_t i = 0; i + 1 < count; ++i) {
    if (const auto added = candidate(i)) {
      heap.push_back(*added);
    }
  }
  std::make_heap(heap.begin(), heap.end(), comes_later);

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), comes_later);
    const BpeScratch::Candidate top = heap.back();
    heap.pop_back();
    auto& left = symbols[static_cast<std::size_t>(top.position)];
    if (left.id != top.left || left.next < 0) {
      continue;  // one of the two has since been merged
    }
    auto& right = symbols[static_cast<std::size_t>(left.next)];
    if (right.id != top.right) {
      continue;
    }
    left.id = find(top.left, top.right)->id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) {
      symbols[static_cast<std::size_t>(left.next)].previous = top.position;
      push(top.position);
    }
    if (left.previous >= 0) {
      push(left.previous);
    }
  }
  for (std::int32_t i = count > 0 ? 0 : -1; i >= 0; i = symbols[static_cast<std::size_t>(i)].next) {
    ids.push_back(symbols[static_cast<std::size_t>(i)].id);
  }
}

}  // namespace precis
