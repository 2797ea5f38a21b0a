// Generation with a KV cache and continuous batching: a finished sequence's place is taken at once.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "model/heads.hpp"
#include "model/stage.hpp"

namespace precis {

/// One prompt and the numbers of the episodes to draw from it; they share the prompt's cache
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

struct GenerationRule {
  SamplingRule sampling;
  std::int64_t max_new_tokens = 48;    ///< counts the end token
  std::int64_t max_sequences = 64;     ///< generated at the same time
  std::int64_t prefill_tokens = 4096;  ///< prompts taken in at once, in tokens
};

/// What is drawn for an episode depends on its prompt, its number and the weights only, never on
/// its neighbours or on the order of completion.
class Generator {
 public:
  Generator(Device& device, const ModelConfig& config, const Parameters& layout);

  /// Generates every episode of every prompt. `finished` gets each as soon as it is complete;
  /// `between_steps` is called between decode steps (for signals, messages, the watchdog). Prompts
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

  void reserve(std::span<const Prompt> prompts, const GenerationRule& rule);
  [[nodiscard]] std::size_t admit(const Parameters& parameters, std::span<const Prompt> prompts,
                                  std::size_t next, const GenerationRule& rule,
                                  const std::function<void(Generated&&)>& finished);
  void sample(const Parameters& parameters, ConstView hidden, std::span<Live*> of,
              const GenerationRule& rule);
  void retire(const GenerationRule& rule, const std::function<void(Generated&&)>& finished);

  Device* device_;
  Stage stage_;
  LanguageHead head_;
  std::unique_ptr<KvCache> cache_;
  Workspace workspace_;
  std::vector<std::unique_ptr<Live>> live_;
};

}  // namespace precis
