// Attention's backward pass: probabilities are computed again from the forward pass's log-sum-exp
// (Dao et al. 2022, algorithm 4).
#include <omp.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "kernels/cpu/attention.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"
#include "kernels/cpu/scratch_sizes.hpp"
#include "kernels/sum_parts.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_backward.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/contrib/math/math-inl.h>
#include "kernels/cpu/attention-inl.hpp"

#ifndef PRECIS_KERNELS_CPU_ATTENTION_BACKWARD_TYPES
#define PRECIS_KERNELS_CPU_ATTENTION_BACKWARD_TYPES
namespace precis::cpu {
namespace {

/// One sequence and one key-value head with the query heads of its group.
struct AttentionGroup {
  float* dq;  ///< Row n of the group's head h at dq + n * q_stride + h * head_dim.
  float* dk;  ///< Row n at dk + n * kv_stride.
  float* dv;
  const float* dout;
  const float* out;
  const float* log_sum_exp;  ///< Of row n and head h at log_sum_exp + n * log_sum_exp_stride + h.
  const float* q;
  const float* k;
  const float* v;
  std::int64_t q_stride;
  std::int64_t kv_stride;
  std::int64_t log_sum_exp_stride;
  std::int64_t length;
  std::int64_t group;   ///< Query heads.
  std::int64_t first;   ///< The number of the first of them among all.
  std::int64_t sums;    ///< Gradients of keys and values that are held at once.
  SumParts head_parts;  ///< Of all query heads.
  std::int64_t head_dim;
  float scale;
  float* scratch;  ///< group_scratch(length, head_dim, sums) elements.
};

std::int64_t group_scratch(std::int64_t length, std::int64_t head_dim, std::int64_t sums) {
  return ((3 + 2 * sums) * length + 3 * attention_block) * head_dim + 2 * length;
}

/// The heads of a group that are in `count` parts from `part` on.
PartRange heads_in(const AttentionGroup& group, std::int64_t part, std::int64_t count) {
  if (group.head_parts.empty()) {
    return {0, group.group};
  }
  const auto bound = [&](std::int64_t number) {
    return std::clamp<std::int64_t>(
        group.head_parts[static_cast<std::size_t>(number)] - group.first, 0, group.group);
  };
  return {bound(part), bound(part + count)};
}

}  // namespace
}  // namespace precis::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace precis::cpu::HWY_NAMESPACE {
namespace {

/// Rows of one query head, dense, the keys and values of a block, and the gradients of the group's
/// keys and values in the sum that is being formed.
struct Head {
  float* key_columns;  ///< (D, attention_block)
  float* value_columns;
  float* keys;  ///< (attention_block, D)
  float* q;     ///< Scaled.
  float* dout;
  float* dq;           ///< Before its factor `scale`.
  float* log_sum_exp;  ///< Of each row.
  float* delta;        ///< Of each row: dout . out = sum of p dp.
  float* dk;
  float* dv;
};

HWY_INLINE float dot(const float* a, const float* b, std::int64_t n) {
  const Tag d;
  Lane sum = hn::Zero(d);
  for (std::int64_t i = 0; i < n; i += HWY_LANES(float)) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(HWY_LANES(float), n - i));
    sum = hn::MulAdd(load_part(d, a + i, count), load_part(d, b + i, count), sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// rows (R, D) += factors * terms, for any number of rows.
HWY_INLINE void add_rows(float* rows, std::int64_t count, const Factors& factors,
                         const float* terms, std::int64_t term_count, std::int64_t head_dim) {
  over_tiles(count, [&](auto tile, std::int64_t row) HWY_ATTR {
    add_products<decltype(tile)::value>(
        rows + row * head_dim, {factors.first + row * factors.row, factors.row, factors.term},
        terms, term_count, head_dim);
  });
}

/// A block of queries from `row` on against a block of keys from `key` on.
void block_gradient(const Head& head, std::int64_t row, std::int64_t key, std::int64_t length,
                    std::int64_t head_dim) {
  const Tag d;
  constexpr std::int64_t lanes = HWY_LANES(float);
  const std::int64_t rows = std::min(attention_block, length - row);
  const std::int64_t key_count = std::min(attention_block, length - key);
  HWY_ALIGN float p[attention_block * attention_block];
  HWY_ALIGN float ds[attention_block * attention_block];
  const float* q = head.q + row * head_dim;
  const float* dout = head.dout + row * head_dim;
  over_tiles(rows, [&](auto tile, std::int64_t r) HWY_ATTR {
    constexpr int R = decltype(tile)::value;
    block_scores<R>(p + r * attention_block, q + r * head_dim, head.key_columns, head_dim);
    block_scores<R>(ds + r * attention_block, dout + r * head_dim, head.value_columns, head_dim);
  });
  for (std::int64_t r = 0; r < rows; ++r) {
    const Lane log_sum_exp = hn::Set(d, head.log_sum_exp[row + r]);
    const Lane delta = hn::Set(d, head.delta[row + r]);
    for (std::int64_t j = 0; j < attention_block; j += lanes) {
      const std::int64_t place = r * attention_block + j;
      const std::int64_t seen = std::clamp<std::int64_t>(row + r + 1 - key - j, 0, lanes);
      const auto count = static_cast<std::size_t>(seen);
      const Lane probability =
          keep_part(d, hn::Exp(d, hn::Sub(hn::LoadU(d, p + place), log_sum_exp)), count);
      const Lane gradient = hn::Mul(probability, hn::Sub(hn::LoadU(d, ds + place), delta));
      hn::StoreU(probability, d, p + place);
      hn::StoreU(keep_part(d, gradient, count), d, ds + place);
    }
  }
  add_rows(head.dq + row * head_dim, rows, {ds, attention_block, 1}, head.keys, key_count,
           head_dim);
  add_rows(head.dk + key * head_dim, key_count, {ds, 1, attention_block}, q, rows, head_dim);
  add_rows(head.dv + key * head_dim, key_count, {p, 1, attention_block}, dout, rows, head_dim);
}

/// Query head h of the group: its dq, and its terms added to head.dk and head.dv.
void head_gradient(const AttentionGroup& group, const Head& head, std::int64_t h) {
  const std::int64_t length = group.length;
  const std::int64_t head_dim = group.head_dim;
  for (std::int64_t n = 0; n < length; ++n) {
    const std::int64_t from = n * group.q_stride + h * head_dim;
    for (std::int64_t i = 0; i < head_dim; ++i) {
      head.q[n * head_dim + i] = group.scale * group.q[from + i];
      head.dout[n * head_dim + i] = group.dout[from + i];
    }
    head.log_sum_exp[n] = group.log_sum_exp[n * group.log_sum_exp_stride + h];
    head.delta[n] = dot(group.dout + from, group.out + from, head_dim);
  }
  std::fill_n(head.dq, length * head_dim, 0.0F);
  for (std::int64_t key = 0; key < length; key += attention_block) {
    const std::int64_t count = std::min(attention_block, length - key);
    const std::int64_t from = key * group.kv_stride;
    transpose_block(head.key_columns, group.k + from, group.kv_stride, count, head_dim);
    transpose_block(head.value_columns, group.v + from, group.kv_stride, count, head_dim);
    for (std::int64_t j = 0; j < count; ++j) {
      std::copy_n(group.k + from + j * group.kv_stride, head_dim, head.keys + j * head_dim);
    }
    for (std::int64_t row = key; row < length; row += attention_block) {
      block_gradient(head, row, key, length, head_dim);
    }
  }
  for (std::int64_t n = 0; n < length; ++n) {
    for (std::int64_t i = 0; i < head_dim; ++i) {
      group.dq[n * group.q_stride + h * head_dim + i] = group.scale * head.dq[n * head_dim + i];
    }
  }
}

/// head.dk and head.dv = the sums over the heads of the group in `count` parts from `part` on, some
/// of which have heads, in their binary tree. Those of a right half are formed behind the left's.
void tree_gradient(const AttentionGroup& group, const Head& head, std::int64_t part,
                   std::int64_t count) {
  const std::int64_t size = group.length * group.head_dim;
  if (count == 1) {
    std::fill_n(head.dk, 2 * size, 0.0F);
    const PartRange heads = heads_in(group, part, 1);
    for (std::int64_t h = heads.begin; h < heads.end; ++h) {
      head_gradient(group, head, h);
    }
    return;
  }
  const std::int64_t half = count / 2;
  const bool has_left = heads_in(group, part, half).size() > 0;
  const bool has_right = heads_in(group, part + half, half).size() > 0;
  if (has_left) {
    tree_gradient(group, head, part, half);
  }
  if (!has_right) {
    return;
  }
  Head right = head;
  if (has_left) {
    right.dk = head.dv + size;
    right.dv = right.dk + size;
  }
  tree_gradient(group, right, part + half, half);
  if (has_left) {
    for (std::int64_t i = 0; i < 2 * size; ++i) {
      head.dk[i] += right.dk[i];
    }
  }
}

void group_gradient(const AttentionGroup& group) {
  const std::int64_t length = group.length;
  const std::int64_t head_dim = group.head_dim;
  const std::int64_t size = length * head_dim;
  const std::int64_t block_size = attention_block * head_dim;
  Head head{};
  head.key_columns = group.scratch;
  head.value_columns = head.key_columns + block_size;
  head.keys = head.value_columns + block_size;
  head.q = head.keys + block_size;
  head.dout = head.q + size;
  head.dq = head.dout + size;
  head.dk = head.dq + size;
  head.dv = head.dk + size;
  head.log_sum_exp = head.dk + 2 * group.sums * size;
  head.delta = head.log_sum_exp + length;
  const HeadParts parts = parts_of_group(group.head_parts, group.first, group.first + group.group);
  tree_gradient(group, head, parts.begin, parts.count);
  for (std::int64_t n = 0; n < length; ++n) {
    std::copy_n(head.dk + n * head_dim, head_dim, group.dk + n * group.kv_stride);
    std::copy_n(head.dv + n * head_dim, head_dim, group.dv + n * group.kv_stride);
  }
}

}  // namespace
}  // namespace precis::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace precis::cpu {
namespace {

HWY_EXPORT(group_gradient);

struct Sequence {
  std::int64_t begin;
  std::int64_t length;
};

/// The gradients of keys and values that tree_gradient holds at most.
std::int64_t sums_at_once(std::int64_t query_heads, std::int64_t group, SumParts heads) {
  std::int64_t most = 1;
  for (std::int64_t begin = 0; begin < query_heads; begin += group) {
    const HeadParts parts = parts_of_group(heads, begin, begin + group);
    most = std::max<std::int64_t>(most, std::bit_width(static_cast<std::uint64_t>(parts.count)));
  }
  return most;
}

void clear_rows(View x, std::int64_t begin, std::int64_t end) {
  const View rows = x.rows(begin, end);
  std::fill_n(rows.data<float>(), rows.numel(), 0.0F);
}

}  // namespace

std::int64_t attention_backward_scratch(std::int64_t longest, std::int64_t head_dim,
                                        std::int64_t query_heads, std::int64_t group,
                                        SumParts heads) {
  return omp_get_max_threads() *
         group_scratch(longest, head_dim, sums_at_once(query_heads, group, heads));
}

void attention_backward(Queue& queue, View dq, View dk, View dv, ConstView dout, ConstView out,
                        ConstView log_sum_exp, ConstView q, ConstView k, ConstView v,
                        ConstView offsets, double scale, SumParts head_parts) {
  const std::int64_t tokens = q.extent(0);
  const std::int64_t heads = q.extent(1);
  const std::int64_t head_dim = q.extent(2);
  const std::int64_t kv_heads = k.extent(1);

  const auto* starts = offsets.data<std::int32_t>();
  std::vector<Sequence> sequences;
  for (std::int64_t b = 0; b + 1 < offsets.numel(); ++b) {
    if (starts[b] < starts[b + 1]) {
      sequences.push_back({starts[b], starts[b + 1] - starts[b]});
    }
  }
  for (View x : {dq, dk, dv}) {
    clear_rows(x, 0, starts[0]);
    clear_rows(x, starts[offsets.numel() - 1], tokens);
  }
  // The longest first, so that no thread is left with a long one at the end.
  std::stable_sort(sequences.begin(), sequences.end(),
                   [](const Sequence& a, const Sequence& b) { return a.length > b.length; });
  if (sequences.empty()) {
    return;
  }
  const std::int64_t longest = sequences.front().length;
  const std::int64_t group = heads / kv_heads;
  const std::int64_t sums = sums_at_once(heads, group, head_parts);
  const std::int64_t scratch_size = group_scratch(longest, head_dim, sums);
  float* scratch = scratch_of(queue).of<float>(
      attention_backward_scratch(longest, head_dim, heads, group, head_parts));
  const auto sequence_count = static_cast<std::int64_t>(sequences.size());
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (std::int64_t number = 0; number < sequence_count; ++number) {
    for (std::int64_t head = 0; head < kv_heads; ++head) {
      const auto [begin, length] = sequences[static_cast<std::size_t>(number)];
      const std::int64_t q_place = (begin * heads + head * group) * head_dim;
      const std::int64_t kv_place = (begin * kv_heads + head) * head_dim;
      HWY_DYNAMIC_DISPATCH(group_gradient)
      ({.dq = dq.data<float>() + q_place,
        .dk = dk.data<float>() + kv_place,
        .dv = dv.data<float>() + kv_place,
        .dout = dout.data<float>() + q_place,
        .out = out.data<float>() + q_place,
        .log_sum_exp = log_sum_exp.data<float>() + begin * heads + head * group,
        .q = q.data<float>() + q_place,
        .k = k.data<float>() + kv_place,
        .v = v.data<float>() + kv_place,
        .q_stride = heads * head_dim,
        .kv_stride = kv_heads * head_dim,
        .log_sum_exp_stride = heads,
        .length = length,
        .group = group,
        .first = head * group,
        .sums = sums,
        .head_parts = head_parts,
        .head_dim = head_dim,
        .scale = static_cast<float>(scale),
        .scratch = scratch + omp_get_thread_num() * scratch_size});
    }
  }
}

}  // namespace precis::cpu
#endif  // HWY_ONCE
