// Generation with a KV cache and continuous batching: a finished sequence's place is taken at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <tuple>
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
/// its neighbours or on the order of completion. Where several ranks hold the model, `run` is
/// collective over them, with the same prompts and rule, and each of them gets every episode.
class Generator {
 public:
  /// `arena`: null for one of its own.
  Generator(Device& device, const ModelConfig& config, const Parameters& layout,
            std::shared_ptr<Arena> arena = nullptr);

  /// Generates every episode of every prompt. `finished` gets each as soon as it is seen to be
  /// complete; `between_steps` is called between decode steps, of which some are done at once where
  /// the host runs ahead of the device (for signals, messages, the watchdog). Prompts
  /// must not be empty and must fit the context together with max_new_tokens (Error). Where several
  /// ranks hold the model, `finished` must not throw, since messages between them are under way.
  /// Without an end token in the model's configuration every response has max_new_tokens.
  void run(const Parameters& parameters, std::span<const Prompt> prompts,
           const GenerationRule& rule, const std::function<void(Generated&&)>& finished,
           const std::function<void()>& between_steps);

  /// Of the decode steps of the last run: the share of places that no sequence took, as none was
  /// left to begin while others went on.
  [[nodiscard]] double lost_share() const noexcept {
    return offered_ == 0 ? 0 : 1 - static_cast<double>(taken_) / static_cast<double>(offered_);
  }

 private:
  /// A sequence being generated.
  struct Live {
    int cache_sequence = 0;
    Generated result;
  };

  /// What is sampled in some steps for some sequences: (steps, rows) each.
  struct Sampled {
    View tokens;    // i32
    View logprobs;  // f32
  };

  /// Sequences that pass through the stages together: one group, or as many as stages.
  struct Group {
    int number = 0;
    std::int64_t places = 0;  ///< for live sequences
    std::vector<std::unique_ptr<Live>> live;
    // What the group's last turn samples, and for whom, until its next turn.
    std::vector<Live*> waiting;
    std::int64_t steps = 0;
    std::int64_t rows = 0;
    Tensor sampled;                       // (2, most) i32: tokens, and the bits of the log-probs
    std::vector<StartedOperation> sends;  // of it, to the other stages
  };

  /// What a call of `run` is about.
  struct Job {
    const Parameters& parameters;
    std::span<const Prompt> prompts;
    GenerationRule rule;
    const std::function<void(Generated&&)>& finished;
    std::size_t next = 0;  ///< the first prompt that is not yet taken in
  };

  void reserve(const Job& job);
  /// Adds what the group's last turn has sampled, and gives up the places of finished sequences.
  void take(Job& job, Group& group);
  /// Takes in prompts where there are places; false if there are none.
  [[nodiscard]] bool admit(Job& job, Group& group);
  /// Some more tokens of every live sequence. One that ends goes on until all have their tokens;
  /// what it samples after its end is discarded.
  void decode(const Job& job, Group& group);
  [[nodiscard]] Recording& recording(const Job& job, const Group& group);
  /// Where the group's next `steps` for so many `rows` go.
  [[nodiscard]] static Sampled expect(Group& group, std::int64_t steps, std::int64_t rows);
  /// What the turn that is waited for samples.
  [[nodiscard]] static Sampled sampled_of(Group& group);
  /// The same as one view, tokens before log-probs.
  [[nodiscard]] static View message_of(Group& group);
  static void finish_sends(Group& group);
  void sample(const Job& job, ConstView hidden, ConstView episodes, ConstView positions,
              const Sampled& sampled);
  /// Of a turn that is computed: hidden states go to the next stage, or what the last one has
  /// sampled to the others.
  void pass_on(Group& group, ConstView hidden);
  [[nodiscard]] Stage::Receive receive() const;
  [[nodiscard]] bool is_last_stage() const { return parallel_.place.is_last_stage(); }

  Device* device_;
  ModelParallel parallel_;
  Stage stage_;
  LanguageHead head_;
  std::unique_ptr<KvCache> cache_;
  int padding_ = 0;               ///< A sequence of the cache for rows that nobody reads.
  std::int64_t table_width_ = 0;  ///< The most blocks of a sequence.
  Workspace& workspace_;          // the stage's
  std::vector<Group> groups_;
  std::int64_t offered_ = 0;  // places, over all decode steps
  std::int64_t taken_ = 0;
  Tensor outgoing_;  // hidden states on their way to the next stage
  StartedOperation send_;

  /// What recorded decode steps have in common; others are forgotten.
  struct RecordedFor {
    const std::byte* parameters = nullptr;
    SamplingRule sampling;
    std::int64_t table_width = 0;
    friend bool operator==(const RecordedFor&, const RecordedFor&) = default;
  };
  RecordedFor recorded_for_;
  std::map<std::tuple<int, std::int64_t, std::int64_t>, Recording>
      recordings_;  // of group, steps, rows
};

}  // namespace precis
