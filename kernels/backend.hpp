// A backend: one const table of references to its kernels. A kernel that is missing does not
// compile.
#pragma once

#include <functional>
#include <string>

#include "kernels/kernels.hpp"

namespace precis {

struct Backend {
  const char* name;
  /// Whether the host runs ahead of the device: then looking at a result makes it wait, and few
  /// sizes of repeated work are better than many.
  bool runs_ahead;
  /// Whether a pack serves both products, whatever PackFor it was made for.
  bool one_pack;

  // Queues, which bring their memory, and events.
  Queue (&make_queue)();
  Event (&record)(Queue&);
  void (&wait)(Queue&, const Event&);  ///< Work put into the queue later starts after the event.
  void (&synchronize)(Queue&);         ///< The host waits until the queue is empty.
  /// Puts `work` into the queue: for one Recording always the same kernels on the same memory. From
  /// the second time on a device may start what it has recorded in place of calling `work`, which
  /// must therefore do nothing else. It is recorded anew after device memory was taken or given
  /// back.
  void (&repeat)(Queue&, Recording&, const std::function<void()>& work);
  void (&copy_to_device)(Queue&, View out, ConstView host);
  void (&copy_to_host)(Queue&, View host, ConstView x);  ///< Returns when the host has the data.
  /// The instruction set and libraries chosen on this machine, for `--version` and the log.
  std::string (&describe)();
  /// Whether f32 rows keep their bits whatever batch they stand in (CONTRACT: exactness).
  bool (&rows_are_exact)();

  Fill& fill;
  Copy& copy;
  Add& add;
  Scale& scale;

  EmbeddingForward& embedding_forward;
  EmbeddingBackward& embedding_backward;
  GatherRows& gather_rows;
  ScatterAddRows& scatter_add_rows;

  LayerNormForward& layer_norm_forward;
  LayerNormBackward& layer_norm_backward;
  RmsNormForward& rms_norm_forward;
  RmsNormBackward& rms_norm_backward;
  Rotary& rotary;

  PackWeight& pack_weight;
  LinearForward& linear_forward;
  LinearGeluForward& linear_gelu_forward;
  LinearInputGradient& linear_input_gradient;
  LinearWeightGradient& linear_weight_gradient;

  AttentionForward& attention_forward;
  AttentionBackward& attention_backward;
  RotaryKvWrite& rotary_kv_write;
  KvCopyBlock& kv_copy_block;
  DecodeAttention& decode_attention;

  GeluForward& gelu_forward;
  GeluBackward& gelu_backward;
  GatedSiluForward& gated_silu_forward;
  GatedSiluBackward& gated_silu_backward;

  LogSoftmaxForward& log_softmax_forward;
  LogSoftmaxBackward& log_softmax_backward;
  KlDivergence& kl_divergence;
  Sample& sample;

  Sum& sum;
  SumOfSquares& sum_of_squares;
  ClipScale& clip_scale;
  AdamWStep& adamw_step;

  PpoPolicyLoss& ppo_policy_loss;
  PpoValueLoss& ppo_value_loss;
  PreferenceLoss& preference_loss;
};

}  // namespace precis
