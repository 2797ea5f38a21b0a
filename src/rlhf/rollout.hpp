// The rollout role: a copy of the policy that writes summaries, or reads them from an earlier run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/tldr.hpp"
#include "model/generator.hpp"
#include "rlhf/episode.hpp"
#include "rlhf/prompts.hpp"

namespace precis {

/// The prompts and responses of an episodes.jsonl by episode number.
class Replay {
 public:
  /// Throws Error with file and line for a row that lacks a field, has a token outside the
  /// `vocabulary`, or does not fit the `context`.
  Replay(const std::string& file, std::int64_t vocabulary, std::int64_t context);
  /// Throws Error naming the first of the episodes [first, last) that the file does not have.
  void require_episodes(std::int64_t first, std::int64_t last) const;
  /// The episode as it was recorded; the file must have it.
  [[nodiscard]] const Episode& at(std::int64_t number) const;
  /// Empty where the file does not tell.
  [[nodiscard]] const std::string& prompt_id_of(std::int64_t number) const;

 private:
  struct Recorded {
    Episode episode;
    std::string prompt_id;
  };
  std::string file_;
  std::map<std::int64_t, Recorded> episodes_;
};

class Rollout {
 public:
  struct Setup {
    Device& device;
    const ModelConfig& config;
    const Parameters& policy;  ///< this rank's copy; new weights arrive in it
    const std::vector<Example>& prompts;
    std::uint64_t seed = 0;
    GenerationRule rule;
    const Replay* replay = nullptr;  ///< null: sample
    std::function<void()> between_steps;
  };
  explicit Rollout(const Setup& setup);

  /// Generates the episodes `numbers` = [first, last) and hands out each as soon as it is finished.
  void generate(std::pair<std::int64_t, std::int64_t> numbers, std::int64_t weight_version,
                const std::function<void(Episode&&)>& finished);

 private:
  Setup setup_;
  PromptOrder order_;
  Generator generator_;
};

}  // namespace precis
