// Attention's forward pass over packed sequences, and the row routine it shares with decoding.
#include "kernels/cpu/attention.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"
#include "kernels/cpu/scratch_sizes.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/contrib/math/math-inl.h>
#include "kernels/cpu/attention-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace {

/// The online softmax of a row so far (Dao et al. 2022, algorithm 1): exponents are relative to
/// `max`, and each lane has its own part of their sum.
struct SoftmaxRow {
  HWY_ALIGN float sum[HWY_LANES(float)];
  float max;
};

/// Turns a row's scores of one block into exp(score - max), zero from `seen` on; rescales what the
/// row has so far if the maximum rises.
HWY_INLINE void absorb_scores(float* HWY_RESTRICT scores, std::int64_t seen,
                              SoftmaxRow& HWY_RESTRICT row, float* HWY_RESTRICT out,
                              std::int64_t head_dim) {
  const Tag d;
  constexpr std::int64_t lanes = HWY_LANES(float);
  constexpr std::int64_t vectors = attention_block / lanes;
  Lane x[vectors];
  const Lane nothing = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (std::int64_t v = 0; v < vectors; ++v) {
    x[v] = hn::LoadU(d, scores + v * lanes);
    const std::int64_t count = std::clamp<std::int64_t>(seen - v * lanes, 0, lanes);
    if (count < lanes) {
      x[v] = hn::IfThenElse(hn::FirstN(d, static_cast<std::size_t>(count)), x[v], nothing);
    }
  }
  Lane highest = x[0];
  for (std::int64_t v = 1; v < vectors; ++v) {
    highest = hn::Max(highest, x[v]);
  }
  const float block_max = hn::GetLane(hn::MaxOfLanes(d, highest));
  Lane sum = hn::Load(d, row.sum);
  if (block_max > row.max) {
    const Lane factor = hn::Exp(d, hn::Set(d, row.max - block_max));
    sum = hn::Mul(sum, factor);
    for (std::int64_t i = 0; i < head_dim; i += lanes) {
      const auto count = static_cast<std::size_t>(std::min(lanes, head_dim - i));
      store_part(hn::Mul(load_part(d, out + i, count), factor), d, out + i, count);
    }
    row.max = block_max;
  }
  const Lane max = hn::Set(d, row.max);
  Lane block_sum = hn::Zero(d);
  for (std::int64_t v = 0; v < vectors; ++v) {
    const Lane p = hn::Exp(d, hn::Sub(x[v], max));
    block_sum = hn::Add(block_sum, p);
    hn::StoreU(p, d, scores + v * lanes);
  }
  hn::Store(hn::Add(sum, block_sum), d, row.sum);
}

void attend_rows(const AttentionRows& rows) {
  const Tag d;
  const std::int64_t head_dim = rows.head_dim;
  float* q = rows.scratch;
  float* out = q + rows.rows * head_dim;
  SoftmaxRow softmax[attention_rows];
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    for (std::int64_t i = 0; i < head_dim; ++i) {
      q[r * head_dim + i] = rows.scale * rows.q[r * rows.q_stride + i];
      out[r * head_dim + i] = 0.0F;
    }
    hn::Store(hn::Zero(d), d, softmax[r].sum);
    softmax[r].max = -std::numeric_limits<float>::infinity();
  }
  const std::int64_t longest = rows.seen + rows.step * (rows.rows - 1);
  for (std::int64_t begin = 0; begin < longest; begin += attention_block) {
    const std::int64_t number = begin / attention_block;
    const std::int64_t place =
        (rows.table != nullptr ? rows.table[number] : number) * rows.block_stride;
    const float* keys = rows.key_blocks + place;
    const float* values = rows.value_blocks + place;
    const auto seen = [&](std::int64_t row) {
      return std::min(rows.seen + rows.step * row - begin, attention_block);
    };
    // With step 1, the rows before this one see nothing of the block.
    const std::int64_t first = std::max<std::int64_t>(0, rows.step * (begin + 1 - rows.seen));
    over_tiles(rows.rows - first, [&](auto tile, std::int64_t offset) HWY_ATTR {
      constexpr int R = decltype(tile)::value;
      const std::int64_t row = first + offset;
      HWY_ALIGN float scores[R * attention_block];
      block_scores<R>(scores, q + row * head_dim, keys, head_dim);
      for (int r = 0; r < R; ++r) {
        absorb_scores(scores + r * attention_block, seen(row + r), softmax[row + r],
                      out + (row + r) * head_dim, head_dim);
      }
      // Values that a row does not see are not even multiplied by zero: they may be anything.
      const std::int64_t common = seen(row);
      add_products<R>(out + row * head_dim, {scores, attention_block, 1}, values, common, head_dim);
      for (int r = 1; r < R; ++r) {
        if (seen(row + r) > common) {
          add_products<1>(out + (row + r) * head_dim,
                          {scores + r * attention_block + common, attention_block, 1},
                          values + common * head_dim, seen(row + r) - common, head_dim);
        }
      }
    });
  }
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const Lane sum = hn::SumOfLanes(d, hn::Load(d, softmax[r].sum));
    for (std::int64_t i = 0; i < head_dim; i += HWY_LANES(float)) {
      const auto count =
          static_cast<std::size_t>(std::min<std::int64_t>(HWY_LANES(float), head_dim - i));
      store_part(hn::Div(load_part(d, out + r * head_dim + i, count), sum), d,
                 rows.out + r * rows.out_stride + i, count);
    }
    if (rows.log_sum_exp != nullptr) {
      rows.log_sum_exp[r * rows.log_sum_exp_stride] = softmax[r].max + std::log(hn::GetLane(sum));
    }
  }
}

}  // namespace
}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {
namespace {

HWY_EXPORT(attend_rows);

/// attention_rows queries of one head, from token `begin` of a sequence on.
struct Task {
  std::int64_t sequence;
  std::int64_t head;
  std::int64_t begin;
};

void clear_rows(View x, std::int64_t begin, std::int64_t end) {
  const View rows = x.rows(begin, end);
  std::fill_n(rows.data<float>(), rows.numel(), 0.0F);
}

}  // namespace

namespace {

/// For one thread.
std::int64_t rows_scratch_size(std::int64_t head_dim) { return 2 * attention_rows * head_dim; }

}  // namespace

void attend(const AttentionRows& rows) { HWY_DYNAMIC_DISPATCH(attend_rows)(rows); }

std::int64_t attention_scratch(std::span<const std::int64_t> lengths, std::int64_t kv_heads,
                               std::int64_t head_dim) {
  std::int64_t blocks = 0;
  for (const std::int64_t length : lengths) {
    blocks += (length + attention_block - 1) / attention_block;
  }
  return 2 * blocks * kv_heads * attention_block * head_dim +
         omp_get_max_threads() * rows_scratch_size(head_dim);
}

void attention_forward(Queue& queue, View out, View log_sum_exp, ConstView q, ConstView k,
                       ConstView v, ConstView offsets, double scale) {
  const std::int64_t tokens = q.extent(0);
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t kv_heads = k.extent(1);

  const auto* starts = offsets.data<std::int32_t>();
  const std::int64_t sequences = offsets.numel() - 1;
  for (View x : {out, log_sum_exp}) {
    clear_rows(x, 0, starts[0]);
    clear_rows(x, starts[sequences], tokens);
  }

  // Keys and values in blocks like those of the KV cache: (blocks, K, ...) of each sequence.
  struct Block {
    std::int64_t first_token;
    std::int64_t count;
  };
  std::vector<Block> blocks;
  std::vector<std::int64_t> first_block;
  std::vector<std::int64_t> lengths;
  std::vector<Task> tasks;
  for (std::int64_t b = 0; b < sequences; ++b) {
    first_block.push_back(static_cast<std::int64_t>(blocks.size()));
    for (std::int64_t n = starts[b]; n < starts[b + 1]; n += attention_block) {
      blocks.push_back({n, std::min<std::int64_t>(attention_block, starts[b + 1] - n)});
    }
    const std::int64_t length = starts[b + 1] - starts[b];
    lengths.push_back(length);
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t begin = 0; begin < length; begin += attention_rows) {
        tasks.push_back({b, head, begin});
      }
    }
  }
  const auto block_count = static_cast<std::int64_t>(blocks.size());
  const std::int64_t block_size = attention_block * head_dim;
  const std::int64_t cache_size = block_count * kv_heads * block_size;
  const std::int64_t rows_size = rows_scratch_size(head_dim);
  float* key_blocks = scratch_of(queue).of<float>(attention_scratch(lengths, kv_heads, head_dim));
  float* value_blocks = key_blocks + cache_size;
  float* rows_scratch = value_blocks + cache_size;

#pragma omp parallel for collapse(2) schedule(static)
  for (std::int64_t block = 0; block < block_count; ++block) {
    for (std::int64_t head = 0; head < kv_heads; ++head) {
      const auto [first_token, count] = blocks[static_cast<std::size_t>(block)];
      const std::int64_t place = (block * kv_heads + head) * block_size;
      const std::int64_t from = (first_token * kv_heads + head) * head_dim;
      const std::int64_t stride = kv_heads * head_dim;
      transpose_block(key_blocks + place, k.data<float>() + from, stride, count, head_dim);
      for (std::int64_t j = 0; j < count; ++j) {
        std::copy_n(v.data<float>() + from + j * stride, head_dim,
                    value_blocks + place + j * head_dim);
      }
    }
  }

  const auto task_count = static_cast<std::int64_t>(tasks.size());
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t number = 0; number < task_count; ++number) {
    const Task& task = tasks[static_cast<std::size_t>(number)];
    const std::int64_t token = starts[task.sequence] + task.begin;
    const std::int64_t first = (token * heads + task.head) * head_dim;
    const std::int64_t place = (first_block[static_cast<std::size_t>(task.sequence)] * kv_heads +
                                task.head / (heads / kv_heads)) *
                               block_size;
    attend({.out = out.data<float>() + first,
            .out_stride = heads * head_dim,
            .log_sum_exp = log_sum_exp.data<float>() + token * heads + task.head,
            .log_sum_exp_stride = heads,
            .q = q.data<float>() + first,
            .q_stride = heads * head_dim,
            .rows = std::min<std::int64_t>(attention_rows, starts[task.sequence + 1] - token),
            .head_dim = head_dim,
            .scale = static_cast<float>(scale),
            .seen = task.begin + 1,
            .step = 1,
            .key_blocks = key_blocks + place,
            .value_blocks = value_blocks + place,
            .block_stride = kv_heads * block_size,
            .table = nullptr,
            .scratch = rows_scratch + omp_get_thread_num() * rows_size});
  }
}

}  // namespace precis::cpu
#endif  // HWY_ONCE
