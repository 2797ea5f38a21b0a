// The heads on a model's hidden states: logits over the vocabulary, or one scalar.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "model/layer.hpp"

namespace precis {

/// Which next tokens are asked about: row positions[p] of a batch predicts targets[p].
struct TokenTargets {
  std::vector<std::int32_t> positions;  // (P)
  std::vector<std::int32_t> targets;    // (P)

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(targets.size()); }
};

/// Logits over the vocabulary: the token embedding's rows if tied, a matrix of its own if not.
/// Works on a few hundred positions at a time, so that no (P,V) tensor ever exists.
class LanguageHead {
 public:
  LanguageHead(Device& device, const Parameters& layout);

  /// (P,V) for hidden (P,C), taken from the workspace.
  [[nodiscard]] View logits(const Parameters& parameters, Workspace& workspace,
                            ConstView hidden) const;

  /// Samples a token for each of B rows, for hidden (B,C), with its log-prob (see kernels.hpp,
  /// Sample), which has the bits of `statistics`. episodes (B) i64, positions (B). Ranks that share
  /// the vocabulary choose among their best tokens; the filters top-k and top-p look at whole rows
  /// of logits, which the ranks then give each other.
  void sample(const Parameters& parameters, Workspace& workspace, ConstView hidden,
              ConstView episodes, ConstView positions, const SamplingRule& rule, View tokens,
              View logprob) const;

  /// Another model's prediction of the same tokens, for the exact KL.
  struct Reference {
    const LanguageHead& head;
    const Parameters& parameters;
    ConstView hidden;  // (P, its own C), in the order of the targets
  };
  /// Results of a pass, each (P), taken from the workspace; the last two only with a reference.
  struct Statistics {
    View logprob;
    View entropy;
    View kl;
    View reference_logprob;
  };
  /// Log-probs of the targets (P) and the entropy at a temperature, for hidden (P,C).
  [[nodiscard]] Statistics statistics(const Parameters& parameters, Workspace& workspace,
                                      ConstView hidden, std::span<const std::int32_t> targets,
                                      double temperature,
                                      std::optional<Reference> reference = {}) const;

  /// Writes d loss / d logprob of targets [begin, end) into dlogprob, given their logprob.
  using LossGradient =
      std::function<void(View dlogprob, ConstView logprob, std::int64_t begin, std::int64_t end)>;
  /// Results of forward and backward at once, taken from the workspace.
  struct Loss {
    View logprob;  // (P)
    View dhidden;  // (P,C)
  };
  /// For hidden (P,C) and targets (P); adds to the head's gradient.
  [[nodiscard]] Loss forward_backward(const Parameters& parameters, Parameters& gradients,
                                      Workspace& workspace, ConstView hidden,
                                      std::span<const std::int32_t> targets, double temperature,
                                      const LossGradient& loss_gradient) const;

 private:
  [[nodiscard]] std::int64_t chunk_rows(const Parameters& parameters) const;
  /// (B,V) of the whole vocabulary, from what each rank has of it.
  [[nodiscard]] View gathered_logits(const LayerContext& context, ConstView logits) const;
  /// Of logits (P,V) and targets (P); `entropy` may be empty.
  void log_softmax(const LayerContext& context, View logprob, View log_sum_exp, View entropy,
                   ConstView logits, ConstView targets, double temperature) const;
  /// KL (P) from the reference's distribution, for both one's logits (P,V) and log_sum_exp (P).
  void kl_divergence(const LayerContext& context, View kl, ConstView logits, ConstView log_sum_exp,
                     ConstView reference_logits, ConstView reference_log_sum_exp,
                     double temperature) const;

  Device* device_;
  Linear output_;
  std::int64_t first_token_ = 0;                 ///< Of the rows of the weight.
  std::vector<std::int64_t> vocabulary_bounds_;  ///< Their SumParts; empty: one part.
  IndexShare whole_;                             ///< The whole vocabulary in its parts.
  std::vector<IndexRange> shares_;               ///< Of each rank that shares it.
};

/// One number for each position: w h + b - shift. The head of reward and value models.
class ScalarHead {
 public:
  ScalarHead(Device& device, const Parameters& layout, double shift);

  /// (P) for hidden (P,C), taken from the workspace.
  [[nodiscard]] View forward(const Parameters& parameters, Workspace& workspace,
                             ConstView hidden) const;
  /// The gradient (P,C) of hidden (P,C) for dout (P), taken from the workspace; adds to the head's
  /// gradients.
  [[nodiscard]] View backward(const Parameters& parameters, Parameters& gradients,
                              Workspace& workspace, ConstView hidden, ConstView dout) const;

 private:
  Device* device_;
  Linear output_;
  double shift_;
};

}  // namespace precis
