// Episodes of an earlier run, to be learned from again instead of sampling.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "rlhf/episode.hpp"

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
  /// Of all that is replayed.
  [[nodiscard]] std::string digest() const;
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

}  // namespace precis
