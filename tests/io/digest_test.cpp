#include "io/digest.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace precis {
namespace {

std::vector<float> numbers(std::size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.5F);
  return values;
}

TEST(Digest, OfAnElementIsAsDocumented) {
  // SplitMix64 seeded with 0 returns this first: its finalizer of the golden gamma.
  EXPECT_EQ(mix64(0x9e3779b97f4a7c15U), 0xe220a8397b1dcdafU);
  const std::vector<std::uint8_t> one{7};
  EXPECT_EQ(digest(view_of(one)), mix64(0xe220a8397b1dcdafU ^ 7U));
}

TEST(Digest, OfNothingIsZero) {
  const std::vector<float> none;
  EXPECT_EQ(digest(view_of(none.data(), Shape{0, 3})), 0U);
}

TEST(Digest, DependsOnPlaceAndBits) {
  const std::vector<float> values{0.0F, 1.0F, 2.0F};
  const std::vector<std::vector<float>> others{
      {1.0F, 0.0F, 2.0F}, {-0.0F, 1.0F, 2.0F}, {0.0F, 1.0F, 2.0000002F}, {0.0F, 1.0F}};
  for (const auto& other : others) {
    EXPECT_NE(digest(view_of(values)), digest(view_of(other)));
  }
}

TEST(Digest, OfManyThreadsIsThatOfOne) {
  const std::vector<float> values = numbers(200'001);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum += digest_elements(reinterpret_cast<const std::byte*>(&values[i]), 4, 1,
                           static_cast<std::int64_t>(i));
  }
  EXPECT_EQ(digest(view_of(values)), sum);
}

class DigestOfParts : public testing::TestWithParam<int> {};

TEST_P(DigestOfParts, AddUpToTheWhole) {
  const Extents shape{5, 3, 7};
  const std::vector<float> values = numbers(std::size_t{5} * 3 * 7);
  const std::uint64_t all = digest(view_of(values.data(), Shape{5, 3, 7}));
  const int axis = GetParam();
  for (int parts : {1, 2, 3, 8}) {
    std::uint64_t sum = 0;
    for (int part = 0; part < parts; ++part) {
      const Shard shard = split(whole(shape), axis, part, parts);
      std::vector<float> box;
      for (std::int64_t i = 0; i < shard.extent[0]; ++i) {
        for (std::int64_t j = 0; j < shard.extent[1]; ++j) {
          for (std::int64_t k = 0; k < shard.extent[2]; ++k) {
            box.push_back(values[static_cast<std::size_t>(
                ((i + shard.offset[0]) * 3 + j + shard.offset[1]) * 7 + k + shard.offset[2])]);
          }
        }
      }
      sum += digest_shard(view_of(std::as_const(box).data(),
                                  Shape{shard.extent[0], shard.extent[1], shard.extent[2]}),
                          shard);
    }
    EXPECT_EQ(sum, all) << parts << " parts along axis " << axis;
  }
}

INSTANTIATE_TEST_SUITE_P(Axes, DigestOfParts, testing::Values(0, 1, 2));

}  // namespace
}  // namespace precis
