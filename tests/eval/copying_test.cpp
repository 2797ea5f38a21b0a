#include "eval/copying.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.hpp"

namespace precis {
namespace {

TEST(Copying, CountsRunsAndNgramsOfThePost) {
  const Copying found =
      copying("My boss took the red bike, my boss!", "Then my boss took my red bike.");
  EXPECT_EQ(found.longest_run, 3);
  EXPECT_EQ(found.longest_share, 3.0 / 8);
  EXPECT_EQ(found.ngrams[0], 7.0 / 8);  // all but "the"
  EXPECT_EQ(found.ngrams[1], 4.0 / 7);  // "my boss" twice, "boss took", "red bike"
  EXPECT_EQ(found.ngrams[2], 1.0 / 6);
  EXPECT_EQ(found.ngrams[3], 0.0);
}

TEST(Copying, ShortAndEmptySummariesHaveNoNgrams) {
  const Copying one = copying("Boss", "my boss");
  EXPECT_EQ(one.longest_run, 1);
  EXPECT_EQ(one.ngrams[0], 1.0);
  EXPECT_FALSE(one.ngrams[1]);
  const Copying none = copying("", "my boss");
  EXPECT_EQ(none.longest_run, 0);
  EXPECT_EQ(none.longest_share, 0);
  EXPECT_FALSE(none.ngrams[0]);
  EXPECT_EQ(copying("a b", "").longest_run, 0);

  const CopyingMeans means =
      mean_of(std::vector{one, none, copying("a b", "a b")}, std::vector<std::uint64_t>{1, 2, 3});
  EXPECT_EQ(means.longest_run.mean, 1);
  EXPECT_EQ(means.ngrams[0]->mean, 1);
  EXPECT_EQ(means.ngrams[1]->mean, 1);
  EXPECT_FALSE(means.ngrams[2]);
}

std::string made_text(RandomStream& random, std::uint32_t words) {
  std::string text;
  for (std::uint32_t i = 0; i < words; ++i) {
    text += static_cast<char>('a' + random.below(3));
    text += ' ';
  }
  return text;
}

// Texts of one-letter words: a run is a substring.
TEST(Copying, AgreesWithASearchForEverySubstring) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RandomStream random(seed, Purpose::testing, 1);
    const std::string summary = made_text(random, 1 + random.below(12));
    const std::string post = made_text(random, random.below(20));
    std::size_t longest = 0;
    std::array<int, 4> copied{};
    const std::size_t words = summary.size() / 2;
    for (std::size_t begin = 0; begin < words; ++begin) {
      for (std::size_t n = 1; begin + n <= words; ++n) {
        if (post.find(summary.substr(2 * begin, 2 * n)) != std::string::npos) {
          longest = std::max(longest, n);
          if (n <= 4) {
            ++copied[n - 1];
          }
        }
      }
    }
    const Copying found = copying(summary, post);
    EXPECT_EQ(found.longest_run, static_cast<std::int64_t>(longest)) << summary << "| " << post;
    for (std::size_t n = 1; n <= 4; ++n) {
      ASSERT_EQ(found.ngrams[n - 1].has_value(), words >= n);
      if (words >= n) {
        EXPECT_EQ(*found.ngrams[n - 1], copied[n - 1] / static_cast<double>(words - n + 1));
      }
    }
  }
}

}  // namespace
}  // namespace precis
