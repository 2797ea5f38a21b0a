#include "parallel/shard.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace precis {
namespace {

TEST(Shard, WholeCoversTheTensor) {
  const Shard shard = whole({3, 5});
  EXPECT_EQ(shard.numel(), 15);
  EXPECT_EQ(shard.global_numel(), 15);
  EXPECT_TRUE(shard.is_whole());
  EXPECT_EQ(whole({}).numel(), 1);
  EXPECT_TRUE(whole({0, 4}).empty());
}

TEST(Shard, PartsTileAnAxisUnevenly) {
  for (std::int64_t rows = 0; rows <= 9; ++rows) {
    for (int parts = 1; parts <= 4; ++parts) {
      std::int64_t next = 0;
      for (int part = 0; part < parts; ++part) {
        const Shard shard = split(whole({rows, 2}), 0, part, parts);
        EXPECT_EQ(shard.offset[0], next);
        EXPECT_LE(shard.extent[0] - rows / parts, 1);
        EXPECT_EQ(shard.extent[1], 2);
        require_valid(shard);
        next += shard.extent[0];
      }
      EXPECT_EQ(next, rows);
    }
  }
}

TEST(Shard, SplitOfAPartStaysInsideIt) {
  const Shard part = split(whole({10, 8}), 0, 1, 2);
  const Shard inner = split(part, 0, 1, 2);
  EXPECT_EQ(inner.offset, (Extents{8, 0}));
  EXPECT_EQ(inner.extent, (Extents{2, 8}));
  EXPECT_TRUE(part.contains(inner));
  EXPECT_FALSE(inner.contains(part));
  EXPECT_EQ(to_string(inner), "[8:10, 0:8] of (10, 8)");
  EXPECT_THROW(static_cast<void>(split(part, 2, 0, 2)), Error);
  EXPECT_THROW(static_cast<void>(split(part, 0, 2, 2)), Error);
}

TEST(Shard, IntersectIsTheCommonBox) {
  const Shard rows = split(whole({4, 6}), 0, 1, 2);
  const Shard columns = split(whole({4, 6}), 1, 0, 3);
  const auto common = intersect(rows, columns);
  ASSERT_TRUE(common.has_value());
  EXPECT_EQ(common->offset, (Extents{2, 0}));
  EXPECT_EQ(common->extent, (Extents{2, 2}));
  EXPECT_FALSE(intersect(rows, split(whole({4, 6}), 0, 0, 2)).has_value());
  EXPECT_THROW(static_cast<void>(intersect(rows, whole({4, 7}))), Error);
}

TEST(Shard, BoxesOutsideTheTensorAreRefused) {
  EXPECT_THROW(require_valid({.global_shape = {4}, .offset = {3}, .extent = {2}, .replica = 0}),
               Error);
  EXPECT_THROW(require_valid({.global_shape = {4}, .offset = {-1}, .extent = {2}, .replica = 0}),
               Error);
  EXPECT_THROW(require_valid({.global_shape = {4}, .offset = {0, 0}, .extent = {2}, .replica = 0}),
               Error);
}

}  // namespace
}  // namespace precis
