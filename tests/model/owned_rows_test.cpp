// What the copies of a model own: every row once, in even parts.
#include "model/owned_rows.hpp"

#include <gtest/gtest.h>

#include <map>

#include "model/tiny.hpp"

namespace precis {
namespace {

std::int64_t numbers_of(const std::vector<ParameterSpec>& specs) {
  std::int64_t count = 0;
  for (const ParameterSpec& spec : specs) {
    count += spec.shard.numel();
  }
  return count;
}

TEST(OwnedRows, CoverEachTensorOnceInOrder) {
  for (const int ranks : {1, 2, 3, 4, 7, 16}) {
    for (const ModelConfig& config : {gpt2_config(), tiny_config()}) {
      const auto specs = parameter_specs(config, {.tensor_rank = 1, .tensor_ranks = 2});
      std::map<std::string, std::int64_t> next;  // row
      for (int rank = 0; rank < ranks; ++rank) {
        for (const ParameterSpec& owned : owned_specs(specs, rank, ranks)) {
          require_valid(owned.shard);
          EXPECT_FALSE(owned.shard.empty());
          const auto held = std::ranges::find(specs, owned.name, &ParameterSpec::name);
          ASSERT_NE(held, specs.end());
          EXPECT_TRUE(held->shard.contains(owned.shard)) << to_string(owned.shard);
          EXPECT_EQ(owned.shard.replica, held->shard.replica);
          std::int64_t& row = next.emplace(owned.name, held->shard.offset[0]).first->second;
          EXPECT_EQ(owned.shard.offset[0], row) << owned.name << " on rank " << rank;
          row += owned.shard.extent[0];
        }
      }
      for (const ParameterSpec& spec : specs) {
        EXPECT_EQ(next.at(spec.name), spec.shard.offset[0] + spec.shard.extent[0]) << spec.name;
      }
    }
  }
}

TEST(OwnedRows, AreEven) {
  const auto specs = parameter_specs(gpt2_config());
  for (const int ranks : {2, 3, 4, 8}) {
    for (int rank = 0; rank < ranks; ++rank) {
      const double share = static_cast<double>(numbers_of(owned_specs(specs, rank, ranks))) *
                           ranks / static_cast<double>(numbers_of(specs));
      EXPECT_NEAR(share, 1.0, 0.005) << "rank " << rank << " of " << ranks;
    }
  }
}

TEST(OwnedRows, ComeInBucketsThatEndWhereTheNextBegins) {
  const auto specs = parameter_specs(gpt2_config());
  const auto offsets = flat_offsets(specs);
  const auto buckets = buckets_of(specs, 4);
  EXPECT_GE(buckets.size(), 10U);
  EXPECT_EQ(buckets.front().bounds.front(), 0);
  EXPECT_EQ(buckets.back().bounds.back(), offsets.back());
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    EXPECT_TRUE(std::ranges::is_sorted(buckets[b].bounds));
    EXPECT_EQ(buckets[b].bounds.front(), offsets[static_cast<std::size_t>(buckets[b].first)]);
    if (b > 0) {
      EXPECT_EQ(buckets[b].bounds.front(), buckets[b - 1].bounds.back());
    }
  }
}

}  // namespace
}  // namespace precis
