// The instruction set: every numerical operation, declared once, as a function type.
//
// Letters in shapes: N tokens of a packed batch, B sequences, P chosen positions, C width, H query
// heads, K key-value heads, D head dimension, F width of the MLP, V vocabulary, M blocks of a
// sequence's KV cache. Tensors are dense and row-major; matrices of weights are (out, in). Unless a
// comment says otherwise, tensors of real numbers are f32 (the view carries the dtype), and lists
// of tokens, positions and offsets are i32. A View is written, a ConstView read; "optional"
// arguments may be empty views. Outputs never overlap inputs unless the comment says so.
//
// Activations are in f32 or, where the backend has it, bf16: in one call all of them in the same,
// unless the comment says so. Parameters, their gradients, statistics (mean, rstd, log_sum_exp,
// log-probs, entropies), logits and losses are always f32.
//
// In f32 on the CPU a row of a result has the same bits whatever other rows are in the batch, and
// decoding gives the bits of the packed forward pass: each kernel treats each row in one fixed
// order. A sum over rows that is added to its output "continues the sum in memory in the order of
// rows": each element is one chain of additions that starts from the value there, so that rows cut
// into several calls give the bits of one call. (On CUDA: the same to rounding, and the same bits
// for the same calls.)
#pragma once

#include <cstdint>
#include <span>

#include "kernels/queue.hpp"
#include "kernels/view.hpp"

namespace precis {

/// Whether a kernel replaces its output or adds to it.
enum class Write : std::uint8_t { overwrite, accumulate };
/// How an inner index 0 .. bounds.back() is cut: part p is bounds[p] .. bounds[p+1] (may be empty);
/// each part is one chain of multiply-adds, and the parts, a power of two, are added in a binary
/// tree. Empty: one part.
using SumParts = std::span<const std::int64_t>;

// ----------------------------------------------------------------------------------------------
// elementwise

/// out[i] = value.
using Fill = void(Queue&, View out, double value);
/// out = x, of the same shape and element type, or one in f32 and the other in bf16.
using Copy = void(Queue&, View out, ConstView x);
/// out[i] += x[i].
using Add = void(Queue&, View out, ConstView x);
/// x[i] *= factor[0]; factor (1) f32.
using Scale = void(Queue&, View x, ConstView factor);

// ----------------------------------------------------------------------------------------------
// embedding

/// out (N,C) = or += table (V,C) at rows tokens (N) - first: the table is rows first .. first+V of
/// a whole one, and a token outside gives zeros, or adds nothing.
using EmbeddingForward = void(Queue&, View out, ConstView table, ConstView tokens,
                              std::int64_t first, Write write);
/// dtable (V,C) += rows of dout (N,C) at tokens (N) - first: continues the sum in memory in the
/// order of rows. Tokens outside first .. first+V are skipped.
using EmbeddingBackward = void(Queue&, View dtable, ConstView dout, ConstView tokens,
                               std::int64_t first);
/// out (P,C) = rows of x (N,C) at positions (P).
using GatherRows = void(Queue&, View out, ConstView x, ConstView positions);
/// out (N,C) += rows of x (P,C) at positions (P): continues the sum in memory in the order of rows.
using ScatterAddRows = void(Queue&, View out, ConstView x, ConstView positions);

// ----------------------------------------------------------------------------------------------
// norms

/// out (N,C) = (x - mean) * rstd * weight + bias; mean (N), rstd (N) = 1/sqrt(var + epsilon),
/// biased variance (Ba et al. 2016). bias (C) optional.
using LayerNormForward = void(Queue&, View out, View mean, View rstd, ConstView x, ConstView weight,
                              ConstView bias, double epsilon);
/// dx (N,C) += , dweight (C) += , dbias (C) += (optional) for dout (N,C); dweight and dbias
/// continue the sums in memory in the order of rows.
using LayerNormBackward = void(Queue&, View dx, View dweight, View dbias, ConstView dout,
                               ConstView x, ConstView weight, ConstView mean, ConstView rstd);
/// out (N,C) = x * rstd * weight; rstd (N) = 1/sqrt(mean(x^2) + epsilon) (Zhang and Sennrich 2019).
using RmsNormForward = void(Queue&, View out, View rstd, ConstView x, ConstView weight,
                            double epsilon);
/// dx (N,C) += , dweight (C) += for dout (N,C); dweight continues the sum in memory in the order of
/// rows.
using RmsNormBackward = void(Queue&, View dx, View dweight, ConstView dout, ConstView x,
                             ConstView weight, ConstView rstd);

// ----------------------------------------------------------------------------------------------
// rotary

enum class Rotation : std::uint8_t { forward, backward };

struct RotaryRule {
  std::int64_t dims = 0;  ///< How many dimensions of each head are rotated; even.
  double base = 10000.0;
};

/// Rotates queries q (N,H,D) and keys k (N,K,D) in place by their positions (N): of the first
/// `dims` dimensions of each head, the pair (i, i + dims/2) turns by position * base^(-2i/dims) (Su
/// et al. 2021, halves as in Hugging Face's models); `backward` turns the other way.
using Rotary = void(Queue&, View q, View k, ConstView positions, const RotaryRule& rule,
                    Rotation direction);

// ----------------------------------------------------------------------------------------------
// linear

/// What a packed matrix will be multiplied for.
enum class PackFor : std::uint8_t { forward, input_gradient };

/// A copy of weight (out,in) in the backend's layout for one product of activations in `precision`.
/// `former` (may be empty) is a pack that is no longer needed, of the same weight before its last
/// change: its memory is used again.
using PackWeight = Pack(Queue&, ConstView weight, PackFor purpose, DType precision, Pack former);
/// y (N,out) = (x (N,in) * weight^T + bias (out)) + residual (N,out), the product summed over `in`
/// by `parts`; bias and residual optional; weight packed for `forward` in the precision of x.
/// residual may be y itself. y may be f32 where x is bf16 (logits); residual has the precision of
/// y, and bias too or f32, which is then rounded in each call. On CUDA products are cuBLASLt's,
/// which sums as it likes: there the parts of a sum are not looked at, and agree to rounding.
using LinearForward = void(Queue&, View y, ConstView x, const Pack& weight, SumParts parts,
                           ConstView bias, ConstView residual);
/// y (N,C) = (y + bias (C)) + residual (N,C), with the bits and precisions of LinearForward's own
/// end: what is left to do where several ranks' products are summed first. bias and residual
/// optional.
using AddBias = void(Queue&, View y, ConstView bias, ConstView residual);
/// GELU with the error function, or its tanh approximation (Hendrycks and Gimpel 2016).
enum class Gelu : std::uint8_t { erf, tanh };

/// y (N,out) as LinearForward without a residual, and activated (N,out) = gelu(y), both in the
/// precision of x; y optional, for where no backward pass follows. A backend that computes both at
/// once may take the GELU of y before y's rounding.
using LinearGeluForward = void(Queue&, View activated, View y, ConstView x, const Pack& weight,
                               ConstView bias, Gelu kind);

/// What one of the layers that read x adds to the gradient of x: dy (N,out) * weight, with the
/// weight packed for `input_gradient` and `out` cut into `parts`.
struct GradientTerm {
  ConstView dy;
  const Pack* weight = nullptr;
  SumParts parts = {};
};

/// dx (N,in) = the sum of the terms, at least one, which have the same N, `in` and number of parts.
/// Part p of the sum is one chain that goes through part p of the first term, then of the next.
/// On CUDA the terms are products that are added one after the other.
using LinearInputGradient = void(Queue&, View dx, std::span<const GradientTerm> terms);
/// dweight (out,in) += dy^T x, dbias (out) += column sums of dy (optional); dy (N,out), x (N,in).
/// Both continue the sums in memory in the order of rows.
using LinearWeightGradient = void(Queue&, View dweight, View dbias, ConstView dy, ConstView x);

// ----------------------------------------------------------------------------------------------
// attention

/// Keys are visited in blocks of this size, in training, prompts and decoding alike; also the size
/// of a block of the KV cache.
inline constexpr std::int64_t attention_block = 32;

/// Causal attention inside each sequence of a packed batch (Dao et al. 2022: online softmax over
/// blocks). out (N,H,D), log_sum_exp (N,H) = log-sum-exp of the scaled scores; q (N,H,D), k and v
/// (N,K,D), H a multiple of K; offsets (B+1), tokens of sequence b are offsets[b] .. offsets[b+1].
/// On CUDA this and all kernels of attention take D up to 256.
using AttentionForward = void(Queue&, View out, View log_sum_exp, ConstView q, ConstView k,
                              ConstView v, ConstView offsets, double scale);
/// dq (N,H,D), dk and dv (N,K,D), all overwritten, for dout (N,H,D) and the forward pass's tensors.
/// `heads` cuts the query heads 0 .. H: of a key-value head, dk and dv are formed in the parts that
/// lie within its group of H/K query heads, each one chain over its heads in order. A part is
/// within one group, or one or more whole groups, in each of which it is one chain; the parts
/// within a group are a whole subtree. Empty parts add nothing. CUDA does not look at the parts:
/// the same to rounding.
using AttentionBackward = void(Queue&, View dq, View dk, View dv, ConstView dout, ConstView out,
                               ConstView log_sum_exp, ConstView q, ConstView k, ConstView v,
                               ConstView offsets, double scale, SumParts heads);
/// Rotates q and k as Rotary does, forward, and writes k and v (N,K,D) into the cache: token n goes
/// to place slots[n] % attention_block of block slots[n] / attention_block. key_blocks (blocks, K,
/// D, attention_block): a block holds its keys transposed; value_blocks (blocks, K,
/// attention_block, D). rule.dims 0: nothing is rotated, q and positions are ignored and k is only
/// read.
using RotaryKvWrite = void(Queue&, View key_blocks, View value_blocks, View q, View k, ConstView v,
                           ConstView positions, ConstView slots, const RotaryRule& rule);
/// Copies block `from` of the cache to block `to`, keys and values.
using KvCopyBlock = void(Queue&, View key_blocks, View value_blocks, std::int64_t from,
                         std::int64_t to);
/// One query a sequence against its cached keys: out (B,H,D), q (B,H,D), tables (B,M): the blocks
/// of sequence b in order (entries beyond its length are not read), lengths (B): cached tokens, at
/// least 1. The bits are those of AttentionForward's last row.
using DecodeAttention = void(Queue&, View out, ConstView q, ConstView key_blocks,
                             ConstView value_blocks, ConstView tables, ConstView lengths,
                             double scale);

// ----------------------------------------------------------------------------------------------
// activations

/// out (N,F) = gelu(x); out may be x.
using GeluForward = void(Queue&, View out, ConstView x, Gelu kind);
/// dx (N,F) = dout * gelu'(x); dx may be dout.
using GeluBackward = void(Queue&, View dx, ConstView dout, ConstView x, Gelu kind);
/// out (N,F) = silu(gate) * up (Shazeer 2020).
using GatedSiluForward = void(Queue&, View out, ConstView gate, ConstView up);
/// dgate, dup (N,F) for dout.
using GatedSiluBackward = void(Queue&, View dgate, View dup, ConstView dout, ConstView gate,
                               ConstView up);

// ----------------------------------------------------------------------------------------------
// vocabulary

/// The log-softmax of P rows over a vocabulary in parts. logits (P,V) are tokens first .. first+V
/// of the whole vocabulary, and `parts` cuts 0 .. V. partials (parts,P,4) f64, of the z = logits /
/// temperature of each part and row: max z; the sum of exp(z - max); the sum of exp(z - max) * (z -
/// max), or 0 without `entropy`; the target's z, or 0 where the target (P) is not in the part. A
/// part without a z above minus infinity has max -inf and sums 0; one with a z that is NaN or plus
/// infinity has NaN for all three.
using LogSoftmaxParts = void(Queue&, View partials, ConstView logits, ConstView targets,
                             std::int64_t first, double temperature, SumParts parts, bool entropy);
/// Joins the partials of a whole vocabulary (any number of parts, in order) in their binary tree,
/// each joining at the larger maximum: logprob (P) of the targets, log_sum_exp (P) of z, and
/// entropy (P) in nats (optional; of partials made with entropy). A row whose maximum is not finite
/// has NaN.
using LogSoftmaxJoin = void(Queue&, View logprob, View log_sum_exp, View entropy,
                            ConstView partials);
/// Turns logits (P,V), tokens first .. first+V, into their gradient in place, for dlogprob (P):
/// (1[first + v = target] - p_v) * dlogprob / temperature; log_sum_exp (P) is the whole
/// vocabulary's.
using LogSoftmaxBackward = void(Queue&, View logits, ConstView log_sum_exp, ConstView targets,
                                ConstView dlogprob, std::int64_t first, double temperature);
/// partials (parts,P) f64 = sum over each part of p_v (log p_v - log q_v) in nats, p and q the
/// softmax of logits and reference_logits (P,V) divided by `temperature`, with their log_sum_exp
/// (P) over the whole vocabulary; `parts` cuts 0 .. V.
using KlParts = void(Queue&, View partials, ConstView logits, ConstView log_sum_exp,
                     ConstView reference_logits, ConstView reference_log_sum_exp,
                     double temperature, SumParts parts);
/// kl (P) = the sum of partials (parts,P) in their binary tree; any number of parts.
using KlJoin = void(Queue&, View kl, ConstView partials);

struct SamplingRule {
  std::uint64_t seed = 0;
  double temperature = 1.0;             ///< 0: arg max, ties to the lower id.
  std::int64_t top_k = 0;               ///< 0: off.
  double top_p = 1.0;                   ///< 1: off.
  std::int64_t sampled_vocabulary = 0;  ///< The first so many tokens; 0: all.

  friend bool operator==(const SamplingRule&, const SamplingRule&) = default;
};

/// Samples tokens (B) from logits (B,V) by Gumbel-max (Maddison et al. 2014): arg max over the
/// candidates that top-k, then top-p on the renormalised rest (the crossing token included, ties to
/// the lower id) leave, of logit/temperature + g. With x the number v % 4 of random_block(seed,
/// Purpose::sampling, episodes[b], positions[b], v / 4) and u = min((x >> 1) * 2^-31 + 2^-32, 1 -
/// 2^-24) in f32, g = -log(-log1p(-u)). logprob (B): of the token under the full softmax at this
/// temperature (at temperature 0: at 1), with the bits of LogSoftmaxParts with the same parts of
/// the vocabulary, joined. episodes (B) i64, positions (B).
using Sample = void(Queue&, View tokens, View logprob, ConstView logits, ConstView episodes,
                    ConstView positions, const SamplingRule& rule, SumParts parts);
/// A share of Sample, without its filters: candidates (B,2) f64 = the largest logit/temperature + g
/// of logits (B,V), tokens first .. first+V of the whole vocabulary, and the lowest token that has
/// it; minus infinity and `first` where no token may be sampled or none is above minus infinity.
using SamplePart = void(Queue&, View candidates, ConstView logits, std::int64_t first,
                        ConstView episodes, ConstView positions, const SamplingRule& rule);
/// tokens (B) = Sample's, from candidates (shares,B,2) in the order of the vocabulary.
using SampleJoin = void(Queue&, View tokens, ConstView candidates);

// ----------------------------------------------------------------------------------------------
// reductions

/// out (exact_sum_words) i64 = or += sum of x, exact (kernels/exact_sum.hpp) in any order and
/// however x is cut. On CUDA each call's sum is taken in f64, in a fixed order, and added exactly;
/// so are the sums of the losses.
using Sum = void(Queue&, View out, ConstView x, Write write);
/// The same for the squares of x.
using SumOfSquares = void(Queue&, View out, ConstView x, Write write);
/// scale (1) f32 = min(1, clip / (norm + 1e-6)), norm (1) f64 = sqrt(sum_of_squares (1) f64);
/// clip 0: scale 1.
using ClipScale = void(Queue&, View scale, View norm, ConstView sum_of_squares, double clip);

// ----------------------------------------------------------------------------------------------
// optimizer

/// Where Adam's epsilon is added: to the root of the corrected second moment (PyTorch), or to the
/// root of the uncorrected one (TensorFlow).
enum class EpsilonPlace : std::uint8_t { pytorch, tensorflow };

struct AdamW {
  double rate = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double decay = 0.0;
  std::int64_t update = 1;  ///< This update's number, from 1, for the bias corrections.
  EpsilonPlace epsilon_place = EpsilonPlace::pytorch;
};

/// One step over flat buffers of the same length (Loshchilov and Hutter 2019): parameter and
/// moments in place; gradient is first multiplied by gradient_scale (1) f32; parameter *= 1 -
/// rate*decay comes before the update.
using AdamWStep = void(Queue&, View parameter, View first, View second, ConstView gradient,
                       ConstView gradient_scale, const AdamW& settings);

// ----------------------------------------------------------------------------------------------
// losses

/// sums of PpoPolicyLoss, in order.
enum class PolicySum : std::uint8_t { loss, clipped, ratio, squared_change, count };
/// PPO's clipped objective (Schulman et al. 2017, equation 7) over P tokens: with ratio = exp(new -
/// old), loss = max(-A ratio, -A clip(ratio, 1 -+ clip)); clip 0: no clipping. dlogprob (P) =
/// weight * d loss / d logprob; sums (4, exact_sum_words) i64: added to exactly: losses, tokens
/// whose clipped term is strictly larger, ratios, (new - old)^2 / 2; ratio_max (1) f64 = the larger
/// of it and the ratios.
using PpoPolicyLoss = void(Queue&, View dlogprob, View sums, View ratio_max, ConstView logprob,
                           ConstView old_logprob, ConstView advantages, double clip, double weight);

/// sums of PpoValueLoss, in order.
enum class ValueSum : std::uint8_t { loss, clipped, count };
/// loss = max((v - R)^2, (v_old + clip(v - v_old, -+clip) - R)^2) / 2 over P tokens, an unclipped v
/// kept to the bit; clip 0: no clipping. dvalues (P) = weight * d loss / d v; sums (2,
/// exact_sum_words) i64: added to exactly: losses, tokens whose clipped term is strictly larger.
using PpoValueLoss = void(Queue&, View dvalues, View sums, ConstView values, ConstView old_values,
                          ConstView returns, double clip, double weight);

/// sums of PreferenceLoss, in order.
enum class PreferenceSum : std::uint8_t { loss, correct, count };
/// -log sigmoid(chosen - rejected) for rewards (2B): row 2b is the chosen summary of pair b, 2b + 1
/// the rejected one, and weights (B) f64 has the pair's weight. drewards (2B) = weight / divisor *
/// gradient; sums (2, exact_sum_words) i64: added to exactly, times the weight: losses, pairs with
/// chosen above rejected (a tie counts one half).
using PreferenceLoss = void(Queue&, View drewards, View sums, ConstView rewards, ConstView weights,
                            double divisor);

// ----------------------------------------------------------------------------------------------
// the list

/// Every kernel, by type and name: from this list follow what a backend declares (functions.inc),
/// the checks of arguments (checks/checks.hpp), the table of a backend (backend.hpp, table.inc) and
/// the test that each kernel refuses wrong arguments.
#define PRECIS_KERNELS(KERNEL)                         \
  KERNEL(Fill, fill)                                   \
  KERNEL(Copy, copy)                                   \
  KERNEL(Add, add)                                     \
  KERNEL(Scale, scale)                                 \
  KERNEL(EmbeddingForward, embedding_forward)          \
  KERNEL(EmbeddingBackward, embedding_backward)        \
  KERNEL(GatherRows, gather_rows)                      \
  KERNEL(ScatterAddRows, scatter_add_rows)             \
  KERNEL(LayerNormForward, layer_norm_forward)         \
  KERNEL(LayerNormBackward, layer_norm_backward)       \
  KERNEL(RmsNormForward, rms_norm_forward)             \
  KERNEL(RmsNormBackward, rms_norm_backward)           \
  KERNEL(Rotary, rotary)                               \
  KERNEL(PackWeight, pack_weight)                      \
  KERNEL(LinearForward, linear_forward)                \
  KERNEL(AddBias, add_bias)                            \
  KERNEL(LinearGeluForward, linear_gelu_forward)       \
  KERNEL(LinearInputGradient, linear_input_gradient)   \
  KERNEL(LinearWeightGradient, linear_weight_gradient) \
  KERNEL(AttentionForward, attention_forward)          \
  KERNEL(AttentionBackward, attention_backward)        \
  KERNEL(RotaryKvWrite, rotary_kv_write)               \
  KERNEL(KvCopyBlock, kv_copy_block)                   \
  KERNEL(DecodeAttention, decode_attention)            \
  KERNEL(GeluForward, gelu_forward)                    \
  KERNEL(GeluBackward, gelu_backward)                  \
  KERNEL(GatedSiluForward, gated_silu_forward)         \
  KERNEL(GatedSiluBackward, gated_silu_backward)       \
  KERNEL(LogSoftmaxParts, log_softmax_parts)           \
  KERNEL(LogSoftmaxJoin, log_softmax_join)             \
  KERNEL(LogSoftmaxBackward, log_softmax_backward)     \
  KERNEL(KlParts, kl_parts)                            \
  KERNEL(KlJoin, kl_join)                              \
  KERNEL(Sample, sample)                               \
  KERNEL(SamplePart, sample_part)                      \
  KERNEL(SampleJoin, sample_join)                      \
  KERNEL(Sum, sum)                                     \
  KERNEL(SumOfSquares, sum_of_squares)                 \
  KERNEL(ClipScale, clip_scale)                        \
  KERNEL(AdamWStep, adamw_step)                        \
  KERNEL(PpoPolicyLoss, ppo_policy_loss)               \
  KERNEL(PpoValueLoss, ppo_value_loss)                 \
  KERNEL(PreferenceLoss, preference_loss)

}  // namespace precis
