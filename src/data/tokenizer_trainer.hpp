// Learns the merges of a byte-level BPE tokenizer from texts.
#pragma once

#include "data/pretokenizer.hpp"
#include "data/tokenizer.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace precis {

/// Byte pair encoding (Sennrich et al. 2016) over the pieces of GPT-2's splitting rule. Add texts,
/// then train.
class TokenizerTrainer {
 public:
  void add(std::string_view text);

  /// A tokenizer of `vocabulary` tokens: the 256 bytes in GPT-2's order, merges, and last the
  /// special token "<|endoftext|>". Each merge is the most frequent pair of neighbours; of equally
  /// frequent ones that with the lower left id, then the lower right id; a pair that occurs once is
  /// not merged, so there may be fewer tokens. Throws UsageError if `vocabulary` is below 257.
  [[nodiscard]] Tokenizer train(std::int64_t vocabulary) const;

 private:
  Pretokenizer pretokenizer_;
  std::unordered_map<std::string, std::int64_t> pieces_;
};

}  // namespace precis
