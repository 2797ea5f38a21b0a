// How the commands that evaluate say what their intervals are.
#pragma once

#include <string>

namespace precis {

/// "the table as one JSON object, with intervals ...; empty: not written", for `--help`.
[[nodiscard]] inline std::string json_with_intervals(const std::string& content) {
  return "the " + content +
         " as one JSON object, with intervals of 95% over posts: samples or judgements of one post "
         "are taken to resemble each other, by the variance between posts (Liang and Zeger 1986; "
         "of rates Wilson's interval with the effective number of trials, Korn and Graubard 1998); "
         "too narrow for a rate near 0 or 1 where posts x rate, or posts x (1 - rate), is below "
         "5; empty: not written";
}

}  // namespace precis
