#include "model/attention.hpp"

#include <cmath>

#include "parallel/tree_sum.hpp"

namespace precis {

Attention Attention::find(const Parameters& parameters, const ModelConfig& config,
                          const std::string& name) {
  const ModelPlace& place = parameters.parallel().place;
  const TensorShare share = place.share(config);
  const auto query_parts = scaled(share.query_heads, config.head_dim);
  Attention attention;
  attention.query = Linear::find(parameters, name + "/query");
  attention.key = Linear::find(parameters, name + "/key");
  attention.value = Linear::find(parameters, name + "/value");
  attention.output = RowParallel::find(parameters, name + "/output", query_parts);
  attention.heads = share.heads.query.size();
  attention.kv_heads = share.heads.kv.size();
  attention.head_dim = config.head_dim;
  attention.rotary = {.dims = config.rotary_dims(), .base = config.rotary_base};
  attention.scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
  attention.head_parts = share.query_heads;
  attention.query_parts = query_parts;
  attention.kv_parts = scaled(share.kv_heads, config.head_dim);
  attention.first_kv_holder = place.tensor_rank - share.kv_holder;
  attention.kv_holders = share.kv_holders;
  return attention;
}

View Attention::forward(const LayerContext& c, const DeviceBatch& batch, ConstView x,
                        const OutputRows& rows, ConstView residual, View out,
                        const CacheAccess* cache, Saved& saved) const {
  const std::int64_t n = batch.tokens.extent(0);
  const Shape of_queries{n, heads, head_dim};
  const Shape of_keys{n, kv_heads, head_dim};
  saved.x = x;
  saved.rows = rows;
  const GatheredRows gathered(c, batch.all.share, x);
  const ConstView all = gathered.view();
  // The kernel works on all rows; where no output is wanted the query is zero.
  saved.q = spread(c, query.forward(c, gather(c, all, rows.positions)), rows.positions, n)
                .reshaped(of_queries);
  saved.k = key.forward(c, all).reshaped(of_keys);
  saved.v = value.forward(c, all).reshaped(of_keys);
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
  saved.output_x =
      gather(c, saved.attention_output.reshaped({n, heads * head_dim}), rows.positions);
  return output.forward(c, rows.share, saved.output_x, residual, out);
}

View Attention::input_gradient(const LayerContext& c, const DeviceBatch& batch, ConstView dout,
                               const Saved& saved, Gradients& out) const {
  const std::int64_t n = batch.tokens.extent(0);
  const Shape of_queries{n, heads, head_dim};
  const Shape of_keys{n, kv_heads, head_dim};
  const DType precision = dout.dtype();
  View doutput_x = c.workspace.take(saved.output_x.shape(), precision);
  input_gradient_of(c, doutput_x, {{output, dout}});
  const View dattention_output = spread(c, doutput_x, saved.rows.positions, n).reshaped(of_queries);
  View dq = c.workspace.take(of_queries, precision);
  View dk = c.workspace.take(of_keys, precision);
  View dv = c.workspace.take(of_keys, precision);
  c.kernels().attention_backward(c.queue(), dq, dk, dv, dattention_output, saved.attention_output,
                                 saved.log_sum_exp, saved.q, saved.k, saved.v, batch.offsets, scale,
                                 head_parts);
  sum_over_kv_holders(c, dk, dv);
  if (rotary.dims > 0) {
    c.kernels().rotary(c.queue(), dq, dk, batch.positions, rotary, Rotation::backward);
  }
  // Zero in rows at which no output is wanted.
  const ConstView dquery = dq.reshaped({n, heads * head_dim});
  out = {.dout = dout,
         .dq = gather(c, dquery, saved.rows.positions),
         .dk = dk.reshaped({n, kv_heads * head_dim}),
         .dv = dv.reshaped({n, kv_heads * head_dim})};
  const bool counts_kv = c.tensor() == nullptr || c.tensor()->rank() == first_kv_holder;
  if (counts_kv) {
    return summed_input_gradient_of(
        c, batch.all.share,
        {{query, dquery, query_parts}, {key, out.dk, kv_parts}, {value, out.dv, kv_parts}});
  }
  return summed_input_gradient_of(c, batch.all.share, {{query, dquery, query_parts}});
}

void Attention::sum_over_kv_holders(const LayerContext& c, View dk, View dv) const {
  if (kv_holders > 1) {
    for (const View gradient : {dk, dv}) {
      sum_in_tree(c.device, *c.tensor(), first_kv_holder, kv_holders, gradient, c.workspace);
    }
  }
}

void Attention::weight_gradient(const LayerContext& c, const DeviceBatch& batch,
                                Parameters& gradients, const Saved& saved,
                                const Gradients& later) const {
  const WorkspaceScope scope(c.workspace);
  const GatheredRows gathered(c, batch.all.share, saved.x);
  const ConstView all = gathered.view();
  output.weight_gradient(c, gradients, later.dout, saved.output_x);
  query.weight_gradient(c, gradients, later.dq, gather(c, all, saved.rows.positions));
  key.weight_gradient(c, gradients, later.dk, all);
  value.weight_gradient(c, gradients, later.dv, all);
}

}  // namespace precis
