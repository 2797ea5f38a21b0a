// The shares of tensor parallel ranks cover the model, and their parts are those of one rank.
#include "model/tensor_share.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/tiny.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ModelConfig with_heads(std::int64_t heads, std::int64_t kv_heads) {
  return tiny_config([&](ModelConfig& c) {
    c.heads = heads;
    c.kv_heads = kv_heads;
    c.width = 8 * heads;
    c.vocabulary = 101;
  });
}

/// The bounds of a rank's parts as indices of the whole.
std::vector<std::int64_t> global(const std::vector<std::int64_t>& bounds, std::int64_t begin) {
  std::vector<std::int64_t> out;
  for (const std::int64_t bound : bounds) {
    out.push_back(begin + bound);
  }
  return out;
}

TEST(TensorShare, OfOneRankIsAll) {
  const TensorShare share = tensor_share(with_heads(6, 6), 0, 1, 1);
  EXPECT_EQ(share.heads, (HeadRange{{0, 6}, {0, 6}}));
  EXPECT_EQ(share.vocabulary, (IndexRange{0, 101}));
  EXPECT_THAT(share.query_heads, IsEmpty());
  EXPECT_THAT(share.tokens, IsEmpty());
}

TEST(TensorShare, HalvesAgainAndAgain) {
  const TensorShare share = tensor_share(with_heads(6, 6), 0, 1, 8);
  EXPECT_THAT(share.query_heads, ElementsAre(0, 1, 2, 3, 3, 4, 5, 6, 6));
  EXPECT_EQ(share.kv_heads, share.query_heads);
  EXPECT_THAT(share.tokens, ElementsAre(0, 13, 26, 39, 51, 64, 76, 89, 101));
  EXPECT_THAT(scaled(share.query_heads, 8), ElementsAre(0, 8, 16, 24, 24, 32, 40, 48, 48));
}

TEST(TensorShare, CutsBetweenKeyValueHeadsWhileItCan) {
  // Nine query heads on three key-value heads: the halves are uneven.
  const auto of = [](int rank, int ranks) {
    return tensor_share(with_heads(9, 3), rank, ranks, 8);
  };
  EXPECT_EQ(of(0, 2).heads, (HeadRange{{0, 6}, {0, 2}}));
  EXPECT_EQ(of(1, 2).heads, (HeadRange{{6, 9}, {2, 3}}));
  EXPECT_EQ(of(0, 2).kv_holders, 1);
  EXPECT_EQ(of(2, 4).heads, (HeadRange{{6, 8}, {2, 3}}));
  EXPECT_EQ(of(3, 4).heads, (HeadRange{{8, 9}, {2, 3}}));
  EXPECT_EQ(of(2, 4).kv_holders, 2);
  EXPECT_EQ(of(2, 4).kv_holder, 0);
  EXPECT_EQ(of(3, 4).kv_holder, 1);
  EXPECT_EQ(of(1, 4).kv_holders, 1);
  // A key-value head counts where its first query head does.
  EXPECT_THAT(of(0, 1).query_heads, ElementsAre(0, 2, 3, 5, 6, 7, 8, 9, 9));
  EXPECT_THAT(of(0, 1).kv_heads, ElementsAre(0, 1, 1, 2, 2, 3, 3, 3, 3));
  EXPECT_THAT(of(3, 4).kv_heads, ElementsAre(1, 1, 1));
}

TEST(TensorShare, OfRanksCoverAllAndHaveThePartsOfOne) {
  for (const auto& [heads, kv_heads] : {std::pair{8, 8}, {8, 4}, {8, 1}, {6, 6}, {9, 3}, {12, 4}}) {
    const ModelConfig config = with_heads(heads, kv_heads);
    for (const std::int64_t parts : {1, 2, 4, 8}) {
      const TensorShare whole = tensor_share(config, 0, 1, parts);
      for (int ranks = 1; ranks <= 6; ++ranks) {
        std::int64_t query = 0, mlp = 0, token = 0;
        std::vector<std::int64_t> query_parts{0}, token_parts{0}, mlp_parts{0};
        for (int rank = 0; rank < ranks; ++rank) {
          const TensorShare share = tensor_share(config, rank, ranks, parts);
          EXPECT_EQ(share.heads.query.begin, query);
          EXPECT_EQ(share.mlp.begin, mlp);
          EXPECT_EQ(share.vocabulary.begin, token);
          query = share.heads.query.end;
          mlp = share.mlp.end;
          token = share.vocabulary.end;
          // Every query head finds its own key-value head.
          const std::int64_t group = heads / kv_heads;
          EXPECT_EQ(share.heads.query.begin / group, share.heads.kv.begin);
          EXPECT_EQ((share.heads.query.end - 1) / group, share.heads.kv.end - 1);
          EXPECT_EQ(share.heads.query.size() % share.heads.kv.size(), 0);
          const auto append = [](std::vector<std::int64_t>& to, std::vector<std::int64_t> bounds,
                                 std::int64_t begin, std::int64_t end) {
            if (bounds.empty()) {
              bounds = {0, end - begin};
            }
            const auto more = global(bounds, begin);
            to.insert(to.end(), more.begin() + 1, more.end());
          };
          append(query_parts, share.query_heads, share.heads.query.begin, share.heads.query.end);
          append(token_parts, share.tokens, share.vocabulary.begin, share.vocabulary.end);
          append(mlp_parts, share.mlp_columns, share.mlp.begin, share.mlp.end);
        }
        EXPECT_EQ(query, heads);
        EXPECT_EQ(mlp, config.mlp_width);
        EXPECT_EQ(token, config.vocabulary);
        if (parts % ranks == 0 && parts > 1) {
          EXPECT_EQ(query_parts, whole.query_heads);
          EXPECT_EQ(token_parts, whole.tokens);
          EXPECT_EQ(mlp_parts, whole.mlp_columns);
        }
      }
    }
  }
}

TEST(TensorShare, OfMoreRanksThanHeadsIsAnErrorThatNamesThem) {
  for (int rank = 0; rank < 8; ++rank) {
    EXPECT_THAT(message_of<UsageError>([&] { (void)tensor_share(with_heads(6, 6), rank, 8, 8); }),
                testing::AllOf(HasSubstr("tp = 8 leaves its rank 3 without a query head"),
                               HasSubstr("the model has 6 on 6 key-value heads")));
  }
}

}  // namespace
}  // namespace precis
