// Generation with a KV cache and continuous batching: a finished sequence's place is taken at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "model/heads.hpp"
#include "model/stage.hpp"

namespace precis {

/// One prompt and the numbers of the episodes to sample from it; they share the prompt's cache
/// blocks.
struct Prompt {
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> episodes;
};

struct Generated {
  std::int64_t episode = 0;
  std::vector<std::int32_t> response;  ///< the end token included, if it came
  std::vector<float> logprobs;         ///< of each response token, see kernels.hpp, Sample
  bool ended = false;                  ///< by an end token, not by the length
};

/// Below this a temperature counts as 0: the choice is the most likely token. It is finer than the
/// rounding of f32 logits, and far below it a logit divided by it is infinite.
inline constexpr double smallest_temperature = 1e-5;

struct GenerationRule {
  SamplingRule sampling;               ///< see smallest_temperature
  std::int64_t max_new_tokens = 48;    ///< counts the end token
  std::int64_t max_sequences = 64;     ///< generated at the same time
  std::int64_t prefill_tokens = 4096;  ///< prompts taken in at once, in tokens
};

/// SamplingRule::sampled_vocabulary of a model whose vocabulary is padded beyond its tokenizer's:
/// ids without a token are not sampled, unless one is an end token. 0 for a vocabulary that is not
/// padded.
[[nodiscard]] std::int64_t unpadded(const ModelConfig& config, std::int64_t tokenizer_vocabulary);

/// What is sampled for an episode depends on its prompt, its number and the weights only, never on
/// its neighbours or on the order of completion.
class Generator {
 public:
  /// `arena`: null for one of its own.
  Generator(Device& device, const ModelConfig& config, const Parameters& layout,
            std::shared_ptr<Arena> arena = nullptr);

  /// Generates every episode of every prompt. `finished` gets each as soon as it is seen to be
  /// complete; `between_steps` is called between decode steps, of which some are done at once where
  /// the host runs ahead of the device (for signals, messages, the watchdog). Prompts
  /// must not be empty and must fit the context together with max_new_tokens (Error). Without an
  /// end token in the model's configuration every response has max_new_tokens.
  void run(const Parameters& parameters, std::span<const Prompt> prompts,
           const GenerationRule& rule, const std::function<void(Generated&&)>& finished,
           const std::function<void()>& between_steps);

 private:
  /// A sequence being generated.
  struct Live {
    int cache_sequence = 0;
    Generated result;
  };

  /// What is sampled in several steps for several sequences.
  struct Sampled {
    View tokens;    // (steps, rows) i32, or (rows) of one step
    View logprobs;  // the same
  };

  void reserve(std::span<const Prompt> prompts, const GenerationRule& rule);
  [[nodiscard]] std::size_t admit(const Parameters& parameters, std::span<const Prompt> prompts,
                                  std::size_t next, const GenerationRule& rule,
                                  const std::function<void(Generated&&)>& finished);
  /// Some more tokens of every live sequence. One that ends goes on until all have their tokens;
  /// what it samples after its end is discarded.
  void decode(const Parameters& parameters, const GenerationRule& rule);
  [[nodiscard]] Recording& recording(const Parameters& parameters, const GenerationRule& rule,
                                     std::int64_t steps, std::int64_t rows);
  [[nodiscard]] Sampled take_sampled(std::int64_t steps, std::int64_t rows);
  void sample(const Parameters& parameters, ConstView hidden, ConstView episodes,
              ConstView positions, const GenerationRule& rule, const Sampled& sampled);
  /// Adds what was sampled to the `sequences` of its first rows. Waits for the device.
  void collect(const Sampled& sampled, std::span<Live*> sequences, const GenerationRule& rule);
  void retire(const GenerationRule& rule, const std::function<void(Generated&&)>& finished);

  Device* device_;
  Stage stage_;
  LanguageHead head_;
  std::unique_ptr<KvCache> cache_;
  int padding_ = 0;               ///< A sequence of the cache for rows that nobody reads.
  std::int64_t table_width_ = 0;  ///< The most blocks of a sequence.
  Workspace& workspace_;          // the stage's
  std::vector<std::unique_ptr<Live>> live_;

  /// What recorded decode steps have in common; others are forgotten.
  struct RecordedFor {
    const std::byte* parameters = nullptr;
    SamplingRule sampling;
    std::int64_t table_width = 0;
    friend bool operator==(const RecordedFor&, const RecordedFor&) = default;
  };
  RecordedFor recorded_for_;
  std::map<std::pair<std::int64_t, std::int64_t>, Recording> recordings_;  // of steps, rows
};

}  // namespace precis
