// Comparisons for tests of what is made of several labelers' judgements.
#pragma once

#include <string>

#include "data/comparisons.hpp"

namespace precis {

/// A judgement of the pair of posts' number `post`: texts "A..." and "B...", in this order unless
/// `swapped`; `better` is 'A' or 'B'.
inline Comparison judged(int post, const std::string& worker, char better, bool swapped = false) {
  Comparison of;
  of.post = {.id = std::to_string(post),
             .subreddit = "r",
             .title = "Post " + std::to_string(post),
             .body = "Body."};
  of.summaries = {" A short one.", " B, a longer one than that."};
  of.policies = {"sft", "ref"};
  if (swapped) {
    std::swap(of.summaries[0], of.summaries[1]);
    std::swap(of.policies[0], of.policies[1]);
  }
  of.choice = of.summaries[0][1] == better ? 0 : 1;
  of.worker = worker;
  of.batch = "one";
  return of;
}

}  // namespace precis
