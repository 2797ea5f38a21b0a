// Episodes of an earlier run, to be learned from again instead of sampling.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/input_file.hpp"
#include "rlhf/episode.hpp"

namespace precis {

/// The prompts and responses of an episodes.jsonl by episode number.
class Replay {
 public:
  /// Throws Error with file and line for a row that lacks a field or has one of another type, has a
  /// token outside the `vocabulary`, does not fit the `context`, or has an earlier one's number.
  Replay(const InputFile& file, std::int64_t vocabulary, std::int64_t context);
  /// Throws Error naming the first of the episodes [first, last) that the file does not have.
  void require_episodes(std::int64_t first, std::int64_t last) const;
  /// The episode as it was recorded; the file must have it.
  [[nodiscard]] const Episode& at(std::int64_t number) const;
  /// The digest of the episodes before number `end`, which are those that steps before it have
  /// used.
  [[nodiscard]] std::string digest(std::int64_t end) const;
  /// The digest of all episodes.
  [[nodiscard]] std::string digest() const {
    return episodes_.empty() ? "" : episodes_.rbegin()->second.digest;
  }
  /// Empty where the file does not tell.
  [[nodiscard]] const std::string& prompt_id_of(std::int64_t number) const;

 private:
  struct Recorded {
    Episode episode;
    std::string prompt_id;
    std::string digest;  // of the episodes up to this one
  };
  std::string file_;
  std::map<std::int64_t, Recorded> episodes_;
};

}  // namespace precis
