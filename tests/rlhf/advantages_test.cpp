// Generalized advantage estimation against vectors of three other projects, and by hand.
#include "rlhf/advantages.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "rlhf/support.hpp"
#include "support/real_data.hpp"

namespace precis {
namespace {

using nlohmann::json;

std::vector<float> floats(const json& list) { return list.get<std::vector<float>>(); }

TEST(Gae, ByHand) {
  // gamma 1, lambda 1/2: delta = (1 + 4 - 2, 3 - 4), A = (3 - 1/2, -1).
  const std::vector<float> rewards{1, 3};
  const std::vector<float> values{2, 4};
  const std::vector<double> discounts{1, 1};
  const Advantages of = generalized_advantages(rewards, values, discounts, 0.5, 0.0);
  EXPECT_EQ(of.advantages, (std::vector<float>{2.5F, -1.0F}));
  EXPECT_EQ(of.returns, (std::vector<float>{4.5F, 3.0F}));
}

TEST(Gae, BootstrapAndDiscountOfEachStep) {
  const std::vector<float> rewards{1, 1};
  const std::vector<float> values{0, 10};
  const std::vector<double> discounts{0.0, 0.5};
  const Advantages of = generalized_advantages(rewards, values, discounts, 1.0, 6.0);
  // The first step sees nothing of what follows; the second half of the bootstrap.
  EXPECT_EQ(of.advantages, (std::vector<float>{1.0F, -6.0F}));
  EXPECT_EQ(of.returns, (std::vector<float>{1.0F, 4.0F}));
}

TEST(Gae, LambdaOneWithoutDiscountIsTheSumOfRewards) {
  std::vector<float> rewards(48, 0.0F);
  std::vector<float> values(48);
  rewards.back() = 5.0F;
  for (std::size_t t = 0; t < values.size(); ++t) {
    values[t] = std::sin(static_cast<float>(t));
  }
  const std::vector<double> discounts(48, 1.0);
  const Advantages of = generalized_advantages(rewards, values, discounts, 1.0, 0.0);
  for (std::size_t t = 0; t < values.size(); ++t) {
    EXPECT_FLOAT_EQ(of.returns[t], 5.0F);
    EXPECT_FLOAT_EQ(of.advantages[t], 5.0F - values[t]);
  }
}

TEST(Gae, OfNothing) {
  EXPECT_TRUE(generalized_advantages({}, {}, {}, 0.95, 1.0).advantages.empty());
}

/// Returns over several episodes end to end: a step that is `done` sees nothing of what follows,
/// unless it was only cut off there.
std::vector<float> returns_of_episodes(const json& row, std::vector<float> values,
                                       const std::vector<float>& next_values) {
  const std::vector<float> rewards = floats(row.at("rewards"));
  const json truncated = row.value("time_limit_truncated", json());
  std::vector<float> all;
  std::size_t begin = 0;
  for (std::size_t t = 0; t < rewards.size(); ++t) {
    const bool done = row.at("done")[t].get<double>() != 0;
    if (!done && t + 1 < rewards.size()) {
      continue;
    }
    const bool cut = truncated.is_array() && truncated[t].get<double>() != 0;
    const std::size_t length = t + 1 - begin;
    std::vector<double> discounts(length, row.at("gamma").get<double>());
    if (done && !cut) {
      discounts.back() = 0;
    }
    const Advantages of = generalized_advantages(
        std::span(rewards).subspan(begin, length), std::span(values).subspan(begin, length),
        discounts, row.at("lam").get<double>(), static_cast<double>(next_values[t]));
    all.insert(all.end(), of.returns.begin(), of.returns.end());
    begin = t + 1;
  }
  return all;
}

void expect_near(const std::vector<float>& found, const json& expected, double absolute,
                 const std::string& where) {
  ASSERT_EQ(found.size(), expected.size()) << where;
  for (std::size_t t = 0; t < found.size(); ++t) {
    const double of = expected[t].get<double>();
    EXPECT_NEAR(static_cast<double>(found[t]), of, absolute + 1e-6 * std::abs(of))
        << where << ", step " << t;
  }
}

TEST(Gae, VectorsOfOtherProjects) {
  PRECIS_NEEDS_DATA("expected/ppo_gae_vectors.json");
  int used = 0;
  for (const json& row : test::read_json(data_path)) {
    const std::string kind = row.at("kind");
    const std::string where = kind + " of " + row.at("source").get<std::string>();
    const double tolerance = row.value("atol", 1e-4);
    const std::vector<float> rewards = floats(row.at("rewards"));
    const std::size_t steps = rewards.size();
    if (kind == "gae_advantages" || kind == "lambda_returns") {
      // Values of the steps, and of the state after the last.
      std::vector<float> values;
      if (kind == "gae_advantages") {
        values = floats(row.at("values_T_plus_1"));
      } else {
        // A return does not depend on the value of its own state: that of the first is free.
        values = floats(row.at("values_next"));
        values.insert(values.begin(), 123.0F);
      }
      const Advantages of = generalized_advantages(
          rewards, std::span(values).first(steps), row.at("discounts").get<std::vector<double>>(),
          row.at("lam").get<double>(), static_cast<double>(values.at(steps)));
      if (row.contains("expected_advantages")) {
        expect_near(of.advantages, row.at("expected_advantages"), tolerance, where);
      }
      if (row.contains("expected_returns")) {
        expect_near(of.returns, row.at("expected_returns"), tolerance, where);
      }
      ++used;
    } else if (kind == "gae_returns_multi_episode") {
      const std::vector<float> next = floats(row.at("values_next_state"));
      std::vector<float> values{next.back()};
      values.insert(values.end(), next.begin(), next.end() - 1);
      expect_near(returns_of_episodes(row, values, next), row.at("expected_returns"), tolerance,
                  where);
      ++used;
    } else if (kind == "discounted_returns") {
      const std::vector<float> zeros(steps, 0.0F);
      expect_near(returns_of_episodes(row, zeros, zeros), row.at("expected_returns"), tolerance,
                  where);
      ++used;
    } else {
      EXPECT_EQ(kind, "rloo_baseline") << "a kind of vector that this test does not know";
    }
  }
  EXPECT_EQ(used, 14);
}

}  // namespace
}  // namespace precis
