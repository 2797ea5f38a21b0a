// What a checkpoint keeps of the optimizers' counts.
#include "rlhf/update_counts.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace precis {
namespace {

TEST(UpdateCounts, ComeBackAsTheyWere) {
  nlohmann::ordered_json extra;
  const UpdateCounts counts{.policy = 12, .value = 20};
  write_update_counts(extra, counts);
  EXPECT_EQ(read_update_counts(extra), counts);
}

TEST(UpdateCounts, OfAnEarlierVersionAreEqual) {
  EXPECT_EQ(read_update_counts({{"updates", 12}}), (UpdateCounts{.policy = 12, .value = 12}));
}

}  // namespace
}  // namespace precis
