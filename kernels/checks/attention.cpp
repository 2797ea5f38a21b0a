// Rotary position embedding, attention and the KV cache.
#include "base/error.hpp"
#include "kernels/checks/checks.hpp"
#include "kernels/sum_parts.hpp"

namespace precis::checks {
namespace {

void grouped_heads(const KernelCall& call, std::int64_t heads, std::int64_t kv_heads) {
  require(kv_heads > 0 && heads % kv_heads == 0,
          "Kernel {}: there are {} query heads and {} key-value heads; expected a multiple.",
          call.kernel, heads, kv_heads);
}

void positive_scale(const KernelCall& call, double scale) {
  require(scale > 0.0, "Kernel {}: scale is {}; expected a number above 0.", call.kernel, scale);
}

/// 0 <= offsets[0] <= ... <= offsets[B] <= tokens.
void offsets_in_order(const KernelCall& call, ConstView offsets, std::int64_t tokens) {
  std::int64_t last = 0;
  for (std::int64_t b = 0; b < offsets.numel(); ++b) {
    const std::int64_t offset = offsets.data<std::int32_t>()[b];
    require(last <= offset && offset <= tokens,
            "Kernel {}: offsets[{}] is {}; expected a number from {} to {}.", call.kernel, b,
            offset, last, tokens);
    last = offset;
  }
}

/// q (N,H,D), k and v (N,K,D) and the offsets of a packed batch.
void packed_batch(const KernelCall& call, ConstView q, ConstView k, ConstView v, ConstView offsets,
                  double scale) {
  call.rank("q", q, 3);
  call.rank("k", k, 3);
  call.activations("q", q, q.shape());
  const Shape kv_shape{q.extent(0), k.extent(1), q.extent(2)};
  call.tensor("k", k, q.dtype(), kv_shape);
  call.tensor("v", v, q.dtype(), kv_shape);
  grouped_heads(call, q.extent(1), k.extent(1));
  call.list("offsets", offsets, offsets.numel());
  require(offsets.numel() >= 1, "Kernel {}: offsets is empty; expected B + 1 numbers.",
          call.kernel);
  positive_scale(call, scale);
}

void rotated(const KernelCall& call, View q, View k, ConstView positions, const RotaryRule& rule) {
  call.rank("q", q, 3);
  call.rank("k", k, 3);
  call.activations("q", q, q.shape());
  call.tensor("k", k, q.dtype(), {q.extent(0), k.extent(1), q.extent(2)});
  call.list("positions", positions, q.extent(0));
  require(rule.dims > 0 && rule.dims % 2 == 0 && rule.dims <= q.extent(2),
          "Kernel {}: dims is {}; expected an even number from 2 to the head dimension {}.",
          call.kernel, rule.dims, q.extent(2));
}

/// key_blocks (blocks,K,D,attention_block) and value_blocks (blocks,K,attention_block,D).
void cache(const KernelCall& call, ConstView key_blocks, ConstView value_blocks, DType dtype,
           std::int64_t kv_heads, std::int64_t head_dim) {
  const std::int64_t blocks = key_blocks.extent(0);
  call.tensor("key_blocks", key_blocks, dtype, {blocks, kv_heads, head_dim, attention_block});
  call.tensor("value_blocks", value_blocks, dtype, {blocks, kv_heads, attention_block, head_dim});
}

/// Parts that keep the groups of query heads apart: see AttentionBackward.
void parts_of_heads(const KernelCall& call, SumParts parts, std::int64_t heads,
                    std::int64_t kv_heads) {
  call.parts("heads", parts, heads);
  const std::int64_t group = heads / kv_heads;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::int64_t begin = parts[i];
    const std::int64_t end = parts[i + 1];
    const bool in_one_group = begin == end || begin / group == (end - 1) / group;
    require(in_one_group || (begin % group == 0 && end % group == 0),
            "Kernel {}: part {} of the heads is {} to {}; groups have {} heads, and a part must be "
            "within one or have whole ones.",
            call.kernel, i, begin, end, group);
  }
  for (std::int64_t begin = 0; begin < heads; begin += group) {
    const HeadParts of_group = parts_of_group(parts, begin, begin + group);
    if (of_group.count == 1) {
      continue;
    }
    const auto first = static_cast<std::size_t>(of_group.begin);
    const auto last = static_cast<std::size_t>(of_group.begin + of_group.count);
    require(begin <= parts[first] && parts[last] <= begin + group,
            "Kernel {}: the heads {} to {} of one key-value head are in parts that are no subtree: "
            "the smallest that holds them, parts {} to {}, has heads {} to {}.",
            call.kernel, begin, begin + group, first, last, parts[first], parts[last]);
  }
}

}  // namespace

void rotary(const KernelCall& call, View q, View k, ConstView positions, const RotaryRule& rule,
            Rotation /*direction*/) {
  rotated(call, q, k, positions, rule);
}

void attention_forward(const KernelCall& call, View out, View log_sum_exp, ConstView q, ConstView k,
                       ConstView v, ConstView offsets, double scale) {
  packed_batch(call, q, k, v, offsets, scale);
  call.tensor("out", out, q.dtype(), q.shape());
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {q.extent(0), q.extent(1)});
  if (call.backend.reads_lists) {
    offsets_in_order(call, offsets, q.extent(0));
  }
}

void attention_backward(const KernelCall& call, View dq, View dk, View dv, ConstView dout,
                        ConstView out, ConstView log_sum_exp, ConstView q, ConstView k, ConstView v,
                        ConstView offsets, double scale, SumParts heads) {
  packed_batch(call, q, k, v, offsets, scale);
  parts_of_heads(call, heads, q.extent(1), k.extent(1));
  call.tensor("dq", dq, q.dtype(), q.shape());
  call.tensor("dk", dk, q.dtype(), k.shape());
  call.tensor("dv", dv, q.dtype(), k.shape());
  call.tensor("dout", dout, q.dtype(), q.shape());
  call.tensor("out", out, q.dtype(), q.shape());
  call.tensor("log_sum_exp", log_sum_exp, DType::f32, {q.extent(0), q.extent(1)});
  if (call.backend.reads_lists) {
    offsets_in_order(call, offsets, q.extent(0));
  }
}

void rotary_kv_write(const KernelCall& call, View key_blocks, View value_blocks, View q, View k,
                     ConstView v, ConstView positions, ConstView slots, const RotaryRule& rule) {
  call.rank("k", k, 3);
  call.rank("key_blocks", key_blocks, 4);
  call.activations("k", k, k.shape());
  call.tensor("v", v, k.dtype(), k.shape());
  cache(call, key_blocks, value_blocks, k.dtype(), k.extent(1), k.extent(2));
  call.list("slots", slots, k.extent(0));
  if (rule.dims != 0) {
    rotated(call, q, k, positions, rule);
  }
  if (!call.backend.reads_lists) {
    return;
  }
  const std::int64_t blocks = key_blocks.extent(0);
  for (std::int64_t n = 0; n < slots.numel(); ++n) {
    const std::int32_t slot = slots.data<std::int32_t>()[n];
    require(slot >= 0 && slot < blocks * attention_block,
            "Kernel {}: slots[{}] is {}; expected a place in {} blocks of {}.", call.kernel, n,
            slot, blocks, attention_block);
  }
}

void kv_copy_block(const KernelCall& call, View key_blocks, View value_blocks, std::int64_t from,
                   std::int64_t to) {
  call.rank("key_blocks", key_blocks, 4);
  call.activations("key_blocks", key_blocks, key_blocks.shape());
  cache(call, key_blocks, value_blocks, key_blocks.dtype(), key_blocks.extent(1),
        key_blocks.extent(2));
  const std::int64_t blocks = key_blocks.extent(0);
  require(from >= 0 && from < blocks && to >= 0 && to < blocks,
          "Kernel {}: block {} to block {}; the cache has {} blocks.", call.kernel, from, to,
          blocks);
}

void decode_attention(const KernelCall& call, View out, ConstView q, ConstView key_blocks,
                      ConstView value_blocks, ConstView tables, ConstView lengths, double scale) {
  call.rank("q", q, 3);
  call.rank("key_blocks", key_blocks, 4);
  call.rank("tables", tables, 2);
  const std::int64_t sequences = q.extent(0);
  const std::int64_t table_length = tables.extent(1);
  const std::int64_t blocks = key_blocks.extent(0);
  call.activations("q", q, q.shape());
  call.tensor("out", out, q.dtype(), q.shape());
  grouped_heads(call, q.extent(1), key_blocks.extent(1));
  cache(call, key_blocks, value_blocks, q.dtype(), key_blocks.extent(1), q.extent(2));
  call.tensor("tables", tables, DType::i32, {sequences, table_length});
  call.list("lengths", lengths, sequences);
  positive_scale(call, scale);
  if (!call.backend.reads_lists) {
    return;
  }
  for (std::int64_t b = 0; b < sequences; ++b) {
    const std::int32_t length = lengths.data<std::int32_t>()[b];
    require(length >= 1 && length <= table_length * attention_block,
            "Kernel {}: lengths[{}] is {}; expected a number from 1 to {}.", call.kernel, b, length,
            table_length * attention_block);
    for (std::int64_t m = 0; m * attention_block < length; ++m) {
      const std::int32_t block = tables.data<std::int32_t>()[b * table_length + m];
      require(block >= 0 && block < blocks,
              "Kernel {}: tables[{}, {}] is {}; the cache has {} blocks.", call.kernel, b, m, block,
              blocks);
    }
  }
}

}  // namespace precis::checks
