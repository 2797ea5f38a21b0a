// The keys and values of sequences being generated, in blocks that sequences can share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device/device.hpp"
#include "model/config.hpp"
#include "model/model_parallel.hpp"

namespace precis {

/// A pool of blocks of `attention_block` tokens (all layers alike), counted by the sequences that
/// refer to them: samples of one prompt share its blocks, and the block that both would write to is
/// copied by the one that writes first. Knows nothing of prompts or sampling.
class KvCache {
 public:
  /// Memory for `blocks` blocks in every layer of the rank's stage, of its key-value heads.
  KvCache(Device& device, const ModelConfig& config, std::int64_t blocks,
          const ModelPlace& place = {});

  /// Blocks that `tokens` tokens fill.
  [[nodiscard]] static std::int64_t blocks_for(std::int64_t tokens);

  /// A new, empty sequence; its number may be one that was released.
  [[nodiscard]] int create();
  /// A new sequence with the same tokens.
  [[nodiscard]] int fork(int sequence);
  void release(int sequence);

  [[nodiscard]] std::int64_t length(int sequence) const { return at(sequence).length; }
  [[nodiscard]] std::int64_t free_blocks() const { return static_cast<std::int64_t>(free_.size()); }
  [[nodiscard]] std::int64_t blocks() const {
    return static_cast<std::int64_t>(references_.size());
  }

  /// Makes room for `tokens` more tokens of a sequence. Throws Error when the pool is used up.
  void append(int sequence, std::int64_t tokens);
  /// The place of a sequence's token in the pool: block * attention_block + place in the block.
  [[nodiscard]] std::int32_t slot(int sequence, std::int64_t position) const;

  /// The block tables (B,width) of these sequences, none of which has more blocks; unused entries
  /// are 0.
  [[nodiscard]] std::vector<std::int32_t> tables(std::span<const int> sequences,
                                                 std::int64_t width) const;

  // `layer` counts from the stage's first one.
  [[nodiscard]] View keys(std::int64_t layer);    // (blocks, K, D, attention_block)
  [[nodiscard]] View values(std::int64_t layer);  // (blocks, K, attention_block, D)

 private:
  struct Sequence {
    std::vector<std::int32_t> blocks;
    std::int64_t length = 0;
    bool live = false;
  };

  [[nodiscard]] const Sequence& at(int sequence) const;
  [[nodiscard]] std::int32_t take_block();
  void copy_block(std::int32_t from, std::int32_t to);

  Device* device_;
  std::int64_t layers_;
  std::vector<Tensor> keys_;
  std::vector<Tensor> values_;
  std::vector<int> references_;      // of each block
  std::vector<std::int32_t> free_;   // blocks without references
  std::vector<Sequence> sequences_;  // by number
};

}  // namespace precis
