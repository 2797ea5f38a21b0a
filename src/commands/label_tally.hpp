// The table that `label simulate` prints: what was judged, by kind of pair and by labeler.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/estimates.hpp"
#include "feedback/simulated_labeler.hpp"

namespace precis {

class LabelTally {
 public:
  void count(const Comparison& judged, const std::array<Quality, 2>& qualities);
  /// Judgements, ties of gold, and with 95% intervals over posts the share that agrees with gold
  /// and the share that chooses the longer summary: by kind of pair, by policies where these say
  /// more, for all, and by labeler if `by_labeler`.
  void print(bool by_labeler) const;

 private:
  struct Counts {
    std::int64_t judgements = 0;
    std::int64_t ties = 0;          // both have the same gold score
    std::vector<PostValue> agreed;  // of the others, whether the judgement agrees with gold
    std::vector<PostValue>
        longer;  // where lengths in words differ, whether the longer one was chosen
  };
  using Group = std::map<std::string, Counts>;

  static void print(const std::string& name, const Counts& counts, int width);

  Group kinds_;
  Group policies_;
  Group workers_;
  Counts all_;
};

}  // namespace precis
