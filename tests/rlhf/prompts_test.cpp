// Which prompt an episode starts from.
#include "rlhf/prompts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace precis {
namespace {

std::vector<std::int64_t> pass(PromptOrder& order, std::int64_t rows, std::int64_t number) {
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < rows; ++i) {
    found.push_back(order.row_of(number * rows + i));
  }
  return found;
}

TEST(PromptOrder, EachPassHasEveryRowOnceInAnOrderOfItsOwn) {
  constexpr std::int64_t rows = 23;
  PromptOrder order(rows, 5);
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t number = 0; number < 4; ++number) {
    const auto found = pass(order, rows, number);
    EXPECT_EQ(std::set<std::int64_t>(found.begin(), found.end()).size(), 23U);
    EXPECT_EQ(*std::min_element(found.begin(), found.end()), 0);
    EXPECT_EQ(*std::max_element(found.begin(), found.end()), rows - 1);
    orders.insert(found);
  }
  EXPECT_EQ(orders.size(), 4U);
}

TEST(PromptOrder, DependsOnTheSeedAndNotOnWhatWasAskedBefore) {
  PromptOrder forward(10, 1);
  PromptOrder backward(10, 1);
  PromptOrder other(10, 2);
  std::vector<std::int64_t> a;
  std::vector<std::int64_t> b(35);
  std::vector<std::int64_t> c;
  for (std::int64_t number = 0; number < 35; ++number) {
    a.push_back(forward.row_of(number));
    b[static_cast<std::size_t>(34 - number)] = backward.row_of(34 - number);
    c.push_back(other.row_of(number));
  }
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(PromptOrder, OfOneRow) { EXPECT_EQ(PromptOrder(1, 1).row_of(1000), 0); }

}  // namespace
}  // namespace precis
