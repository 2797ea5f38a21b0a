// Forward passes over prompts and their responses: log-probs, values, rewards. No gradients.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/heads.hpp"
#include "model/model.hpp"
#include "model/sequences.hpp"
#include "model/stage.hpp"

namespace precis {

/// What is known of each response token, in the order of the sequences.
struct TokenStatistics {
  std::vector<std::vector<float>> logprobs;
  std::vector<std::vector<float>> entropies;
  // Empty without a reference.
  std::vector<std::vector<float>> kls;  ///< exact, to the reference
  std::vector<std::vector<float>> reference_logprobs;
};

/// Runs one model on any sequences, some at a time. A result does not depend on its neighbours.
/// Where several ranks hold a copy of the model, every call is collective over them, with the same
/// sequences, and all have its results.
class Evaluator {
 public:
  /// `between` is called between micro-batches (for signals and the watchdog). `arena`: null for
  /// one of its own.
  Evaluator(Device& device, const ModelConfig& config, const Parameters& layout,
            std::int64_t micro_batch_tokens, std::function<void()> between = {},
            std::shared_ptr<Arena> arena = nullptr);

  /// Hidden states of a reference model at the rows that predict each response token, (tokens, C) a
  /// sequence, and its output matrix (among `parameters`).
  struct Reference {
    const LanguageHead& head;
    const Parameters& parameters;
    std::span<const std::vector<float>> hidden;
  };
  /// Log-prob and entropy of every response token at a temperature; with a reference also the KL
  /// and the reference's log-prob.
  [[nodiscard]] TokenStatistics statistics(const Parameters& parameters,
                                           std::span<const Sequence> sequences, double temperature,
                                           std::optional<Reference> reference = {});
  /// The hidden states that predict the response tokens, (tokens, C) a sequence, before the output
  /// matrix.
  [[nodiscard]] std::vector<std::vector<float>> hidden_states(const Parameters& parameters,
                                                              std::span<const Sequence> sequences);
  /// The value before each response token: reward and value models.
  [[nodiscard]] std::vector<std::vector<float>> values(const Parameters& parameters,
                                                       std::span<const Sequence> sequences);
  /// The reward at the last token: reward and value models.
  [[nodiscard]] std::vector<float> rewards(const Parameters& parameters,
                                           std::span<const Sequence> sequences);

 private:
  using Pack = PackedBatch (*)(std::span<const Sequence>);
  /// For some of the sequences, from number `begin` on, and their hidden states.
  using Visit =
      std::function<void(std::span<const Sequence> part, std::int64_t begin, ConstView hidden)>;
  /// x, or a copy of it in f32 or bf16.
  [[nodiscard]] ConstView in_precision(ConstView x, DType precision);
  /// Passes the sequences through the model, some at a time; `visit` is called on the last stage.
  void for_each_micro_batch(const Parameters& parameters, std::span<const Sequence> sequences,
                            Pack pack, const Visit& visit);
  /// Gives the last stage's results to all stages: so many numbers, or `width` for each response
  /// token.
  static void share_flat(const Parameters& parameters, std::vector<float>& results,
                         std::size_t count);
  void share(const Parameters& parameters, std::span<const Sequence> sequences, std::int64_t width,
             std::vector<std::vector<float>>& results) const;

  Device* device_;
  Stage stage_;
  std::optional<LanguageHead> language_;
  std::optional<ScalarHead> scalar_;
  std::int64_t micro_batch_tokens_;
  std::function<void()> between_;
  Workspace& workspace_;  // the stage's
};

}  // namespace precis
