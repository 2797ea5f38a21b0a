#include "model/attention.hpp"

#include <cmath>

namespace precis {

Attention Attention::find(const Parameters& parameters, const ModelConfig& config,
                          const std::string& name) {
  return {.query = Linear::find(parameters, name + "/query"),
          .key = Linear::find(parameters, name + "/key"),
          .value = Linear::find(parameters, name + "/value"),
          .output = Linear::find(parameters, name + "/output"),
          .heads = config.heads,
          .kv_heads = config.kv_heads,
          .head_dim = config.head_dim,
          .rotary = {.dims = config.rotary_dims(), .base = config.rotary_base},
          .scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim))};
}

View Attention::forward(const LayerContext& c, const DeviceBatch& batch, ConstView x,
                        ConstView read, ConstView residual, View out, const CacheAccess* cache,
                        Saved& saved) const {
  const std::int64_t n = x.extent(0);
  const Shape of_queries{n, heads, head_dim};
  const Shape of_keys{n, kv_heads, head_dim};
  saved.x = x;
  saved.read = read;
  saved.query_x = gather(c, x, read);
  // The kernel works on all rows; where nothing is read the query is zero.
  saved.q = spread(c, query.forward(c, saved.query_x), read, n).reshaped(of_queries);
  saved.k = key.forward(c, x).reshaped(of_keys);
  saved.v = value.forward(c, x).reshaped(of_keys);
  if (cache != nullptr) {
    c.kernels().rotary_kv_write(c.queue(), cache->keys, cache->values, saved.q, saved.k, saved.v,
                                batch.positions, cache->slots, rotary);
  } else if (rotary.dims > 0) {
    c.kernels().rotary(c.queue(), saved.q, saved.k, batch.positions, rotary, Rotation::forward);
  }
  saved.attention_output = c.workspace.take(of_queries, x.dtype());
  if (cache != nullptr && !cache->tables.empty()) {
    c.kernels().decode_attention(c.queue(), saved.attention_output, saved.q, cache->keys,
                                 cache->values, cache->tables, cache->lengths, scale);
  } else {
    saved.log_sum_exp = c.workspace.take({n, heads});
    c.kernels().attention_forward(c.queue(), saved.attention_output, saved.log_sum_exp, saved.q,
                                  saved.k, saved.v, batch.offsets, scale);
  }
  saved.output_x = gather(c, saved.attention_output.reshaped({n, heads * head_dim}), read);
  return output.forward(c, saved.output_x, residual, out);
}

View Attention::input_gradient(const LayerContext& c, const DeviceBatch& batch, ConstView dout,
                               const Saved& saved, Gradients& out) const {
  const std::int64_t n = saved.x.extent(0);
  const Shape of_queries{n, heads, head_dim};
  const Shape of_keys{n, kv_heads, head_dim};
  const DType precision = dout.dtype();
  View doutput_x = c.workspace.take(saved.output_x.shape(), precision);
  output.input_gradient(c, doutput_x, dout, Write::overwrite);
  const View dattention_output = spread(c, doutput_x, saved.read, n).reshaped(of_queries);
  View dq = c.workspace.take(of_queries, precision);
  View dk = c.workspace.take(of_keys, precision);
  View dv = c.workspace.take(of_keys, precision);
  c.kernels().attention_backward(c.queue(), dq, dk, dv, dattention_output, saved.attention_output,
                                 saved.log_sum_exp, saved.q, saved.k, saved.v, batch.offsets,
                                 scale);
  if (rotary.dims > 0) {
    c.kernels().rotary(c.queue(), dq, dk, batch.positions, rotary, Rotation::backward);
  }
  out = {.dout = dout,
         .dq = gather(c, dq.reshaped({n, heads * head_dim}), saved.read),
         .dk = dk.reshaped({n, kv_heads * head_dim}),
         .dv = dv.reshaped({n, kv_heads * head_dim})};
  View dquery_x = c.workspace.take(saved.query_x.shape(), precision);
  query.input_gradient(c, dquery_x, out.dq, Write::overwrite);
  const View dx = spread(c, dquery_x, saved.read, n);
  key.input_gradient(c, dx, out.dk, Write::accumulate);
  value.input_gradient(c, dx, out.dv, Write::accumulate);
  return dx;
}

void Attention::weight_gradient(const LayerContext& c, Parameters& gradients, const Saved& saved,
                                const Gradients& later) const {
  output.weight_gradient(c, gradients, later.dout, saved.output_x);
  query.weight_gradient(c, gradients, later.dq, saved.query_x);
  key.weight_gradient(c, gradients, later.dk, saved.x);
  value.weight_gradient(c, gradients, later.dv, saved.x);
}

}  // namespace precis
