// The table of a counting backend: what takes memory, and nothing else.
#pragma once

#include "kernels/backend.hpp"
#include "kernels/counting/queue.hpp"

namespace precis::counting {

template <class Kernel>
struct Nothing;
template <class... Arguments>
struct Nothing<void(Arguments...)> {
  static void call(Arguments... /*unused*/) {}
};

/// The kernels that take memory, and what code asks a backend for.
struct CountedKernels {
  const char* name;
  bool runs_ahead;
  bool one_pack;
  PackWeight& pack_weight;
  LinearForward& linear_forward;
  LinearGeluForward& linear_gelu_forward;
  LinearInputGradient& linear_input_gradient;
  LinearWeightGradient& linear_weight_gradient;
  AttentionForward& attention_forward;
  AttentionBackward& attention_backward;
  DecodeAttention& decode_attention;
};

inline Event record(Queue& /*queue*/) { return Event(nullptr); }
inline void repeat(Queue& /*queue*/, Recording& /*recording*/, const std::function<void()>& work) {
  work();
}
inline std::string describe() { return "memory only"; }
inline bool rows_are_exact() { return true; }

[[nodiscard]] constexpr Backend table_of(const CountedKernels& kernels) {
  return {
      .name = kernels.name,
      .runs_ahead = kernels.runs_ahead,
      .one_pack = kernels.one_pack,
      .make_queue = make_queue,
      .record = record,
      .wait = Nothing<void(Queue&, const Event&)>::call,
      .synchronize = Nothing<void(Queue&)>::call,
      .repeat = repeat,
      .copy_to_device = copy_to_device,
      .copy_to_host = Nothing<void(Queue&, View, ConstView)>::call,
      .describe = describe,
      .rows_are_exact = rows_are_exact,
      .fill = Nothing<Fill>::call,
      .copy = Nothing<Copy>::call,
      .add = Nothing<Add>::call,
      .scale = Nothing<Scale>::call,
      .embedding_forward = Nothing<EmbeddingForward>::call,
      .embedding_backward = Nothing<EmbeddingBackward>::call,
      .gather_rows = Nothing<GatherRows>::call,
      .scatter_add_rows = Nothing<ScatterAddRows>::call,
      .layer_norm_forward = Nothing<LayerNormForward>::call,
      .layer_norm_backward = Nothing<LayerNormBackward>::call,
      .rms_norm_forward = Nothing<RmsNormForward>::call,
      .rms_norm_backward = Nothing<RmsNormBackward>::call,
      .rotary = Nothing<Rotary>::call,
      .pack_weight = kernels.pack_weight,
      .linear_forward = kernels.linear_forward,
      .linear_gelu_forward = kernels.linear_gelu_forward,
      .linear_input_gradient = kernels.linear_input_gradient,
      .linear_weight_gradient = kernels.linear_weight_gradient,
      .attention_forward = kernels.attention_forward,
      .attention_backward = kernels.attention_backward,
      .rotary_kv_write = Nothing<RotaryKvWrite>::call,
      .kv_copy_block = Nothing<KvCopyBlock>::call,
      .decode_attention = kernels.decode_attention,
      .gelu_forward = Nothing<GeluForward>::call,
      .gelu_backward = Nothing<GeluBackward>::call,
      .gated_silu_forward = Nothing<GatedSiluForward>::call,
      .gated_silu_backward = Nothing<GatedSiluBackward>::call,
      .log_softmax_forward = Nothing<LogSoftmaxForward>::call,
      .log_softmax_backward = Nothing<LogSoftmaxBackward>::call,
      .kl_divergence = Nothing<KlDivergence>::call,
      .sample = Nothing<Sample>::call,
      .sum = Nothing<Sum>::call,
      .sum_of_squares = Nothing<SumOfSquares>::call,
      .clip_scale = Nothing<ClipScale>::call,
      .adamw_step = Nothing<AdamWStep>::call,
      .ppo_policy_loss = Nothing<PpoPolicyLoss>::call,
      .ppo_value_loss = Nothing<PpoValueLoss>::call,
      .preference_loss = Nothing<PreferenceLoss>::call,
  };
}

}  // namespace precis::counting
