// Summaries of the embedded data set: written from the facts to be stated, and read back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "synthetic/grammar.hpp"

namespace precis {

/// "My WHO, AGE, VERB my OBJECT at the PLACE on TIME. I feel FEELING. Should I QUESTION them?":
/// what `facts` leave unstated is left out; person and event must be stated.
[[nodiscard]] std::string write_summary(const Facts& facts, RandomStream& random);

/// A summary read back sentence by sentence.
struct SummaryContent {
  std::vector<Facts> sentences;  ///< What each sentence that could be read states.
  int unparsed = 0;              ///< Sentences that are not of the summary's grammar.
};
[[nodiscard]] SummaryContent read_summary(std::string_view text);

}  // namespace precis
