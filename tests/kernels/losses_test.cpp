// PPO's policy and value losses and the preference loss.
#include "kernels/exact_sum.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

HostTensor list(const std::vector<float>& values) { return HostTensor(values); }

HostTensor no_sums(std::int64_t count) { return zeros({count, exact_sum_words}, DType::i64); }

std::vector<double> values_of(const HostTensor& sums) {
  const auto words = sums.values<std::int64_t>();
  std::vector<double> values;
  for (const ExactSum& sum : exact_sums(words)) {
    values.push_back(sum.value());
  }
  return values;
}

struct Result {
  std::vector<float> gradient;
  std::vector<double> sums;
  double ratio_max = 0.0;  ///< of the policy loss
};

HostTensor no_ratio() { return zeros({1}, DType::f64); }

Result policy_loss(const HostTensor& logprob, const HostTensor& old_logprob,
                   const HostTensor& advantages, double clip, double weight,
                   const Backend& backend = backend_under_test()) {
  const auto result = run_on(backend, [&](test::Run& run) {
    run.backend.ppo_policy_loss(run.queue, run.out("gradient", zeros(logprob.shape())),
                                run.out("sums", no_sums(4)), run.out("ratio_max", no_ratio()),
                                run.in(logprob), run.in(old_logprob), run.in(advantages), clip,
                                weight);
  });
  return {result.at("gradient").values<float>(), values_of(result.at("sums")),
          result.at("ratio_max").number(0)};
}

Result value_loss(const HostTensor& values, const HostTensor& old_values, const HostTensor& returns,
                  double clip, double weight, const Backend& backend = backend_under_test()) {
  const auto result = run_on(backend, [&](test::Run& run) {
    run.backend.ppo_value_loss(run.queue, run.out("gradient", zeros(values.shape())),
                               run.out("sums", no_sums(2)), run.in(values), run.in(old_values),
                               run.in(returns), clip, weight);
  });
  return {result.at("gradient").values<float>(), values_of(result.at("sums"))};
}

/// Of pairs of one weight.
Result preference(const HostTensor& rewards, double weight,
                  const Backend& backend = backend_under_test()) {
  const auto pairs = static_cast<std::size_t>(rewards.numel() / 2);
  const HostTensor weights(std::vector<double>(pairs, weight));
  const auto result = run_on(backend, [&](test::Run& run) {
    run.backend.preference_loss(run.queue, run.out("gradient", zeros(rewards.shape())),
                                run.out("sums", no_sums(2)), run.in(rewards), run.in(weights), 1.0);
  });
  return {result.at("gradient").values<float>(), values_of(result.at("sums"))};
}

/// d f / d x by central differences, exact to some 1e-9.
template <class F>
double slope(F f, double x) {
  constexpr double h = 1e-5;
  return (f(x + h) - f(x - h)) / (2.0 * h);
}

TEST(Losses, AgreeWithReference) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 5, 300}) {
    const HostTensor a = random.normal({n}, 0.3);
    const HostTensor b = random.normal({n}, 0.3);
    const HostTensor c = random.normal({n});
    const HostTensor pairs = random.normal({2 * n}, 20.0);
    const auto expect_close_results = [](const Result& actual, const Result& expected) {
      expect_close("gradient", HostTensor(actual.gradient), HostTensor(expected.gradient), 1e-6);
      expect_close("sums", HostTensor(actual.sums), HostTensor(expected.sums), 1e-6);
      EXPECT_NEAR(actual.ratio_max, expected.ratio_max, 1e-6 * expected.ratio_max);
    };
    for (const double clip : {0.0, 0.2}) {
      expect_close_results(policy_loss(a, b, c, clip, 0.25),
                           policy_loss(a, b, c, clip, 0.25, reference::backend));
      expect_close_results(value_loss(a, b, c, clip, 0.25),
                           value_loss(a, b, c, clip, 0.25, reference::backend));
    }
    expect_close_results(preference(pairs, 0.25), preference(pairs, 0.25, reference::backend));
  }
}

TEST(PpoPolicyLoss, MatchesItsFormula) {
  Random random(2);
  constexpr double clip = 0.2;
  constexpr double weight = 0.5;
  for (int trial = 0; trial < 200; ++trial) {
    const HostTensor now = random.normal({1}, 0.3);
    const HostTensor before = random.normal({1}, 0.3);
    const HostTensor advantage = random.normal({1});
    const auto loss = [&](double logprob) {
      const double ratio = std::exp(logprob - before.number(0));
      return std::max(-advantage.number(0) * ratio,
                      -advantage.number(0) * std::min(std::max(ratio, 1.0 - clip), 1.0 + clip));
    };
    const double ratio = std::exp(now.number(0) - before.number(0));
    if (std::abs(std::abs(ratio - 1.0) - clip) < 1e-3) {
      continue;  // A kink has no slope.
    }
    const Result result = policy_loss(now, before, advantage, clip, weight);
    EXPECT_NEAR(result.sums[0], loss(now.number(0)), 1e-12);
    EXPECT_NEAR(result.sums[2], ratio, 1e-12);
    EXPECT_NEAR(result.ratio_max, ratio, 1e-12);
    EXPECT_NEAR(result.gradient[0], weight * slope(loss, now.number(0)), 1e-6);
  }
}

TEST(PpoPolicyLoss, CountsClippedTermsAndKeepsTheLargestRatio) {
  const HostTensor before = list({0.0F, 0.0F, 0.0F, 0.0F});
  const HostTensor now = list({0.5F, 0.5F, -0.5F, 0.0F});
  const HostTensor advantage = list({1.0F, -1.0F, -1.0F, 1.0F});
  const Result clipped = policy_loss(now, before, advantage, 0.2, 1.0);
  // A positive advantage is clipped above, a negative one below.
  EXPECT_EQ(clipped.sums[1], 2.0);
  EXPECT_EQ(clipped.gradient[0], 0.0F);
  EXPECT_FLOAT_EQ(clipped.gradient[1], std::exp(0.5F));
  EXPECT_EQ(clipped.gradient[2], 0.0F);
  EXPECT_EQ(clipped.gradient[3], -1.0F);
  EXPECT_NEAR(clipped.sums[0], -1.2 + std::exp(0.5) + 0.8 - 1.0, 1e-12);
  EXPECT_NEAR(clipped.ratio_max, std::exp(0.5), 1e-12);
  EXPECT_NEAR(clipped.sums[3], 3 * 0.125, 1e-12);
  const Result free = policy_loss(now, before, advantage, 0.0, 1.0);
  EXPECT_EQ(free.sums[1], 0.0);
  EXPECT_FLOAT_EQ(free.gradient[0], -std::exp(0.5F));
}

TEST(PpoValueLoss, MatchesItsFormula) {
  Random random(3);
  constexpr double clip = 0.2;
  constexpr double weight = 0.1;
  for (int trial = 0; trial < 200; ++trial) {
    const HostTensor value = random.normal({1}, 0.3);
    const HostTensor before = random.normal({1}, 0.3);
    const HostTensor target = random.normal({1});
    const auto near_of = [&](double v) {
      return before.number(0) + std::min(std::max(v - before.number(0), -clip), clip);
    };
    const auto loss = [&](double v) {
      const double r = target.number(0);
      return 0.5 * std::max((v - r) * (v - r), (near_of(v) - r) * (near_of(v) - r));
    };
    const double v = value.number(0);
    const double kink =
        std::abs(std::abs(v - target.number(0)) - std::abs(near_of(v) - target.number(0)));
    const double edge = std::abs(std::abs(v - before.number(0)) - clip);
    const bool is_outside = std::abs(v - before.number(0)) > clip;
    if (edge < 1e-3 || (is_outside && kink < 1e-3)) {
      continue;  // A kink has no slope.
    }
    const Result result = value_loss(value, before, target, clip, weight);
    EXPECT_NEAR(result.sums[0], loss(v), 1e-12);
    EXPECT_NEAR(result.gradient[0], weight * slope(loss, v), 1e-7);
  }
}

TEST(PpoValueLoss, CountsStrictlyLargerClippedTerms) {
  // Unclipped; clipped towards the return's far side; clipped, but the free term is larger.
  const HostTensor values = list({0.1F, 1.0F, 1.0F});
  const HostTensor before = list({0.1F, 0.0F, 0.0F});
  const HostTensor returns = list({0.7F, 1.0F, -1.0F});
  const Result clipped = value_loss(values, before, returns, 0.2, 1.0);
  EXPECT_EQ(clipped.sums[1], 1.0);
  EXPECT_EQ(clipped.gradient, (std::vector<float>{0.1F - 0.7F, 0.0F, 2.0F}));
  EXPECT_NEAR(clipped.sums[0], 0.5 * (0.36 + 0.64 + 4.0), 1e-7);
  const Result free = value_loss(values, before, returns, 0.0, 1.0);
  EXPECT_EQ(free.sums[1], 0.0);
  EXPECT_EQ(free.gradient[1], 0.0F);
  EXPECT_NEAR(free.sums[0], 0.5 * (0.36 + 0.0 + 4.0), 1e-7);
}

TEST(PreferenceLoss, WeighsEachPair) {
  const HostTensor rewards = list({2.0F, 1.0F, 0.5F, 1.0F});
  const HostTensor weights(std::vector<double>{0.25, 3.0});
  const auto written = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.preference_loss(run.queue, run.out("gradient", zeros({4})),
                                run.out("sums", no_sums(2)), run.in(rewards), run.in(weights),
                                3.25);
  });
  const Result first = preference(list({2.0F, 1.0F}), 1.0);
  const Result second = preference(list({0.5F, 1.0F}), 1.0);
  const auto gradient = written.at("gradient").values<float>();
  EXPECT_NEAR(gradient[0], 0.25 / 3.25 * first.gradient[0], 1e-7);
  EXPECT_NEAR(gradient[2], 3.0 / 3.25 * second.gradient[0], 1e-7);
  const auto sums = values_of(written.at("sums"));
  EXPECT_NEAR(sums[0], 0.25 * first.sums[0] + 3.0 * second.sums[0], 1e-12);
  EXPECT_EQ(sums[1], 0.25);
}

TEST(PreferenceLoss, MatchesItsFormula) {
  for (const double difference : {-3.0, -0.5, 0.25, 4.0}) {
    const auto loss = [](double x) { return std::log(1.0 + std::exp(-x)); };
    const Result result = preference(list({static_cast<float>(difference + 1.0), 1.0F}), 0.5);
    EXPECT_NEAR(result.sums[0], 0.5 * loss(difference), 1e-12);
    EXPECT_NEAR(result.gradient[0], 0.5 * slope(loss, difference), 1e-7);
    EXPECT_EQ(result.gradient[1], -result.gradient[0]);
    EXPECT_EQ(result.sums[1], difference > 0.0 ? 0.5 : 0.0);
  }
}

TEST(PreferenceLoss, IsStableAndCountsTiesHalf) {
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    const Result far = preference(list({-50000.0F, 50000.0F, 50000.0F, -50000.0F}), 1.0, *backend);
    EXPECT_EQ(far.sums[0], 100000.0);
    EXPECT_EQ(far.sums[1], 1.0);
    EXPECT_EQ(far.gradient, (std::vector<float>{-1.0F, 1.0F, 0.0F, 0.0F}));
    const Result tie = preference(list({2.0F, 2.0F}), 1.0, *backend);
    EXPECT_EQ(tie.sums[1], 0.5);
    EXPECT_NEAR(tie.sums[0], std::log(2.0), 1e-15);
    // -log sigmoid of a middling negative difference, where the sigmoid's complement rounds to 1.
    EXPECT_NEAR(preference(list({0.0F, 40.0F}), 1.0, *backend).sums[0], 40.0, 1e-12);
  }
}

TEST(Losses, AddToTheirSums) {
  const HostTensor one = list({0.0F});
  HostTensor sums = no_sums(4);
  for (int which = 0; which < 4; ++which) {
    add_exactly(sums.data<std::int64_t>() + which * exact_sum_words, 7.0);
  }
  HostTensor ratio_max = no_ratio();
  *ratio_max.data<double>() = 7.0;
  const auto result = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.ppo_policy_loss(run.queue, run.out("gradient", one), run.out("sums", sums),
                                run.out("ratio_max", ratio_max), run.in(one), run.in(one),
                                run.in(one), 0.2, 1.0);
  });
  // The ratio is exactly 1 and the largest so far stays.
  EXPECT_EQ(values_of(result.at("sums")), (std::vector<double>{7.0, 7.0, 8.0, 7.0}));
  EXPECT_EQ(result.at("ratio_max").number(0), 7.0);
}

TEST(Losses, PassOnNaN) {
  const HostTensor nan = list({std::nanf(""), 0.0F});
  const HostTensor one = list({1.0F, 1.0F});
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    for (int which = 0; which < 3; ++which) {
      const HostTensor& a = which == 0 ? nan : one;
      const HostTensor& b = which == 1 ? nan : one;
      const HostTensor& c = which == 2 ? nan : one;
      for (const double clip : {0.0, 0.2}) {
        const Result policy = policy_loss(a, b, c, clip, 1.0, *backend);
        EXPECT_TRUE(std::isnan(policy.sums[0])) << which;
        EXPECT_TRUE(std::isnan(policy.gradient[0])) << which;
        EXPECT_EQ(std::isnan(policy.ratio_max), which != 2);
        const Result value = value_loss(a, b, c, clip, 1.0, *backend);
        // Without clipping the old value plays no part.
        const bool plays = which != 1 || clip > 0.0;
        EXPECT_EQ(std::isnan(value.sums[0]), plays) << which;
        EXPECT_EQ(std::isnan(value.gradient[0]), plays) << which;
      }
    }
    const Result pair = preference(nan, 1.0, *backend);
    EXPECT_TRUE(std::isnan(pair.sums[0]));
    EXPECT_TRUE(std::isnan(pair.gradient[0]));
  }
}

}  // namespace
}  // namespace precis::test
