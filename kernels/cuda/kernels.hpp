// The kernels of the cuda backend, declared from the instruction set's function types.
#pragma once

#include "kernels/backend.hpp"

namespace precis::cuda {

Queue make_queue();
Event record(Queue& queue);
void wait(Queue& queue, const Event& event);
void synchronize(Queue& queue);
void* allocate(std::int64_t bytes);
void deallocate(void* memory) noexcept;
void copy_to_device(Queue& queue, View out, ConstView host);
void copy_to_host(Queue& queue, View host, ConstView x);
std::string describe();
bool rows_are_exact();

Fill fill;
Copy copy;
Add add;
Scale scale;
EmbeddingForward embedding_forward;
EmbeddingBackward embedding_backward;
GatherRows gather_rows;
ScatterAddRows scatter_add_rows;
LayerNormForward layer_norm_forward;
LayerNormBackward layer_norm_backward;
RmsNormForward rms_norm_forward;
RmsNormBackward rms_norm_backward;
Rotary rotary;
PackWeight pack_weight;
LinearForward linear_forward;
LinearInputGradient linear_input_gradient;
LinearWeightGradient linear_weight_gradient;
AttentionForward attention_forward;
AttentionBackward attention_backward;
KvWrite kv_write;
KvCopyBlock kv_copy_block;
DecodeAttention decode_attention;
GeluForward gelu_forward;
GeluBackward gelu_backward;
GatedSiluForward gated_silu_forward;
GatedSiluBackward gated_silu_backward;
LogSoftmaxForward log_softmax_forward;
LogSoftmaxBackward log_softmax_backward;
KlDivergence kl_divergence;
Sample sample;
Sum sum;
SumOfSquares sum_of_squares;
ClipScale clip_scale;
AdamWStep adamw_step;
PpoPolicyLoss ppo_policy_loss;
PpoValueLoss ppo_value_loss;
PreferenceLoss preference_loss;

/// The table of this backend.
extern const Backend backend;

}  // namespace precis::cuda
