// Causal self-attention with grouped key-value heads, rotary positions and a KV cache.
#pragma once

#include "model/layer.hpp"

namespace precis {

/// The tokens of a packed batch on the device.
struct DeviceBatch {
  ConstView tokens;      // (N) i32
  ConstView positions;   // (N) i32, each sequence counts from 0
  ConstView offsets;     // (B+1) i32
  OutputRows all = {};   // every row
  OutputRows read = {};  // those at which the model's output is read
};

/// One layer's part of a KV cache, and where this batch is in it. With `tables` the batch is one
/// token a sequence that looks back on the cache; without, it is a batch of whole prompts to be
/// stored.
struct CacheAccess {
  View keys;          // (blocks, K, D, attention_block)
  View values;        // (blocks, K, attention_block, D)
  ConstView slots;    // (N) i32: where the batch's keys and values go
  ConstView tables;   // (B,M) i32: the blocks of each sequence
  ConstView lengths;  // (B) i32: its cached tokens, this one included
};

struct Attention {
  Linear query, key, value;
  RowParallel output;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;  ///< heads of this rank
  RotaryRule rotary;                                   ///< dims 0: no rotation
  double scale = 0.0;                                  ///< 1 / sqrt(head_dim)
  /// The parts of this rank's query heads, and the same in columns of the queries, of keys and
  /// values.
  std::vector<std::int64_t> head_parts, query_parts, kv_parts;
  /// The ranks that hold the same key-value head: the first, and how many.
  int first_kv_holder = 0, kv_holders = 1;

  struct Saved {
    ConstView x;            // (n,C), the layer's input
    OutputRows rows;        // P of N
    ConstView output_x;     // (P, H*D), `attention_output` there
    View q;                 // (N,H,D), rotated
    View k, v;              // (N,K,D), k rotated
    View attention_output;  // (N,H,D), the heads' results
    View log_sum_exp;       // (N,H)
  };
  /// What the weight gradients need of the input gradient's pass.
  struct Gradients {
    ConstView dout;  // (P,C)
    ConstView dq;    // (P, H*D)
    View dk, dv;     // (N, K*D)
  };

  [[nodiscard]] static Attention find(const Parameters& parameters, const ModelConfig& config,
                                      const std::string& name);

  /// residual + attention(x), (p,C), in `out` as with RowParallel, at `rows` (P) of x. `cache` may
  /// be null. Of x (N,C), residual and result a rank has its rows (n,C) and (p,C).
  [[nodiscard]] View forward(const LayerContext& context, const DeviceBatch& batch, ConstView x,
                             const OutputRows& rows, ConstView residual, View out,
                             const CacheAccess* cache, Saved& saved) const;
  /// The gradient (n,C) of x, for dout (P,C).
  [[nodiscard]] View input_gradient(const LayerContext& context, const DeviceBatch& batch,
                                    ConstView dout, const Saved& saved, Gradients& out) const;
  void weight_gradient(const LayerContext& context, const DeviceBatch& batch, Parameters& gradients,
                       const Saved& saved, const Gradients& later) const;

 private:
  /// Gradients of keys and values over all query heads that read them.
  void sum_over_kv_holders(const LayerContext& context, View dk, View dv) const;
};

}  // namespace precis
