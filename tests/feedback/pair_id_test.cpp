#include "feedback/pair_id.hpp"

#include <gtest/gtest.h>

namespace precis {
namespace {

Comparison comparison_of(std::string first, std::string second) {
  Comparison of;
  of.post = {.id = "7", .subreddit = "r", .title = "A title", .body = "A post."};
  of.summaries = {std::move(first), std::move(second)};
  return of;
}

TEST(PairId, IsTheSameForEveryLabelerAndInEitherOrder) {
  Comparison one = comparison_of(" One.", " Two.");
  Comparison other = comparison_of("Two.", "One.");
  other.worker = "somebody";
  other.choice = 1;
  EXPECT_EQ(pair_id(one), pair_id(other));
  EXPECT_EQ(pair_id(one).size(), 16U);
}

TEST(PairId, DiffersWithEveryText) {
  const std::string id = pair_id(comparison_of("One.", "Two."));
  EXPECT_NE(id, pair_id(comparison_of("One.", "Three.")));
  EXPECT_NE(id, pair_id(comparison_of("One.T", "wo.")));
  Comparison other_post = comparison_of("One.", "Two.");
  other_post.post.body = "Another post.";
  EXPECT_NE(id, pair_id(other_post));
}

TEST(PostNumber, IsOfTheTextAndNotOfTheId) {
  Comparison one = comparison_of("One.", "Two.");
  Comparison other = comparison_of("Three.", "Four.");
  other.post.id = "8";
  EXPECT_EQ(post_number(one.post), post_number(other.post));
  other.post.title += "!";
  EXPECT_NE(post_number(one.post), post_number(other.post));
}

}  // namespace
}  // namespace precis
