// Episodes and experience as messages.
#include "rlhf/episode.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <tuple>

#include "base/error.hpp"
#include "rlhf/support.hpp"

namespace precis {
namespace {

auto fields(const Episode& e) {
  return std::tie(e.number, e.prompt, e.query, e.response, e.ended, e.rollout_logprobs, e.weights,
                  e.score_raw, e.reference_hidden);
}

auto fields(const Experience& e) {
  return std::tie(e.policy_logprobs, e.logprobs, e.reference_logprobs, e.values, e.entropies,
                  e.exact_kls, e.score, e.rewards, e.advantages, e.returns);
}

TEST(Message, BringsAnEpisodeAcross) {
  const Episode sent = test::some_experience(5, 3).episode;
  const Bytes bytes = pack(sent);
  std::span<const std::byte> rest(bytes);
  Episode received;
  unpack(rest, received);
  EXPECT_EQ(fields(received), fields(sent));
  EXPECT_TRUE(rest.empty());
}

TEST(Message, BringsSeveralExperiencesAcross) {
  const std::vector<Experience> sent{test::some_experience(0, 1), test::some_experience(1, 48),
                                     test::some_experience(2, 0)};
  Bytes bytes;
  for (const Experience& e : sent) {
    const Bytes one = pack(e);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  std::span<const std::byte> rest(bytes);
  for (const Experience& e : sent) {
    Experience received;
    unpack(rest, received);
    EXPECT_EQ(fields(received), fields(e));
    EXPECT_EQ(fields(received.episode), fields(e.episode));
  }
  EXPECT_TRUE(rest.empty());
}

TEST(Message, CutAnywhereIsRefused) {
  const Bytes bytes = pack(test::some_experience(4, 6));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    std::span<const std::byte> rest(bytes.data(), length);
    Experience received;
    EXPECT_THROW(unpack(rest, received), Error) << length << " bytes of " << bytes.size();
  }
}

TEST(Message, WithAnImpossibleLengthIsRefused) {
  const Bytes good = pack(test::some_experience(4, 6).episode);
  for (const std::int64_t length : {std::int64_t{-1}, std::int64_t{1} << 62}) {
    Bytes bytes = good;
    // The length of the query follows the two numbers of the episode.
    std::memcpy(bytes.data() + 2 * sizeof(std::int64_t), &length, sizeof length);
    std::span<const std::byte> rest(bytes);
    Episode received;
    EXPECT_THROW(unpack(rest, received), Error) << length;
  }
}

}  // namespace
}  // namespace precis
