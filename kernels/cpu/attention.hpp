// The parts that attention's forward pass, backward pass and decoding share on the CPU.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.hpp"

namespace precis::cpu {

/// Query rows that attend() treats at once at most: their state stays in the first-level cache.
inline constexpr std::int64_t attention_rows = 64;

/// Query rows over one sequence of blocks of keys (D, attention_block) and values
/// (attention_block, D), all of one key-value head.
struct AttentionRows {
  float* out;  ///< Row r (D) at out + r * out_stride.
  std::int64_t out_stride;
  float* log_sum_exp;  ///< Of row r at log_sum_exp + r * log_sum_exp_stride; null: not wanted.
  std::int64_t log_sum_exp_stride;
  const float* q;
  std::int64_t q_stride;
  std::int64_t rows;  ///< 1 to attention_rows.
  std::int64_t head_dim;
  float scale;
  std::int64_t seen;  ///< Keys that row 0 sees, from the first of the sequence on; at least 1.
  std::int64_t step;  ///< Row r sees seen + step * r keys: 1 for tokens in order, 0 for heads.
  const float* key_blocks;
  const float* value_blocks;
  std::int64_t block_stride;  ///< Elements from one block to the next, of keys and of values.
  const std::int32_t* table;  ///< Block b is number table[b]; null: number b.
  float* scratch;             ///< 2 * rows * head_dim elements.
};

/// The one attention of training, prompts and decoding. The bits of a row are those of this row,
/// its keys and its values alone: key blocks in order; scores summed over d in order; softmax
/// online with a fixed order of lanes; values summed over keys in order.
void attend(const AttentionRows& rows);

/// Writes `count` rows (D), `stride` apart, as the columns of a block (D, attention_block); columns
/// beyond are zero.
inline void transpose_block(float* block, const float* rows, std::int64_t stride,
                            std::int64_t count, std::int64_t head_dim) {
  if (count < attention_block) {
    std::fill_n(block, head_dim * attention_block, 0.0F);
  }
  // Row by row: rows can be a power of two apart, and would then evict each other from the cache.
  for (std::int64_t j = 0; j < count; ++j) {
    const float* row = rows + j * stride;
    for (std::int64_t i = 0; i < head_dim; ++i) {
      block[i * attention_block + j] = row[i];
    }
  }
}

}  // namespace precis::cpu
