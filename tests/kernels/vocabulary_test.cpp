// log-softmax forward and backward, entropy and the KL divergence.
#include <omp.h>

#include "kernels/harness.hpp"

namespace precis::test {
namespace {

std::map<std::string, HostTensor> log_softmax(const Backend& backend, const HostTensor& logits,
                                              const HostTensor& targets, double temperature,
                                              bool with_entropy = true) {
  const std::int64_t rows = logits.shape()[0];
  return run_on(backend, [&](test::Run& run) {
    run.backend.log_softmax_forward(run.queue, run.out("logprob", zeros({rows})),
                                    run.out("log_sum_exp", zeros({rows})),
                                    with_entropy ? run.out("entropy", zeros({rows})) : View(),
                                    run.in(logits), run.in(targets), temperature);
  });
}

/// Each element to some roundings of the larger of its two terms, 1[v = target] and p_v, times
/// dlogprob / temperature.
void expect_gradients_agree(const HostTensor& logits, const HostTensor& log_sum_exp,
                            const HostTensor& targets, const HostTensor& dlogprob,
                            double temperature) {
  const auto gradient_on = [&](const Backend& backend) {
    return run_on(backend,
                  [&](test::Run& run) {
                    run.backend.log_softmax_backward(run.queue, run.out("logits", logits),
                                                     run.in(log_sum_exp), run.in(targets),
                                                     run.in(dlogprob), temperature);
                  })
        .at("logits");
  };
  const HostTensor expected = gradient_on(reference::backend);
  const HostTensor actual = gradient_on(backend_under_test());
  const std::int64_t vocabulary = logits.shape()[1];
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    const std::int64_t row = i / vocabulary;
    const bool is_target = targets.data<std::int32_t>()[row] == i % vocabulary;
    const double size =
        is_target ? std::abs(dlogprob.number(row)) / temperature : std::abs(expected.number(i));
    ASSERT_NEAR(actual.number(i), expected.number(i), 4e-6 * size + 1e-30)
        << "row " << row << ", token " << i % vocabulary << " of " << vocabulary;
  }
}

TEST(LogSoftmax, AgreesWithReference) {
  Random random(1);
  for (const std::int64_t vocabulary : {2, 15, 16, 17, 515, 50257}) {
    for (const std::int64_t rows : {0, 1, 3}) {
      for (const double temperature : {1.0, 0.7, 2.0}) {
        const HostTensor logits = random.normal({rows, vocabulary}, 4.0, -3.0);
        const HostTensor targets = random.indices({rows}, vocabulary);
        const HostTensor dlogprob = random.normal({rows});
        const auto forward = log_softmax(reference::backend, logits, targets, temperature);
        expect_agreement(
            [&](test::Run& run) {
              run.backend.log_softmax_forward(run.queue, run.out("logprob", zeros({rows})),
                                              run.out("log_sum_exp", zeros({rows})),
                                              run.out("entropy", zeros({rows})), run.in(logits),
                                              run.in(targets), temperature);
            },
            2e-6);
        expect_gradients_agree(logits, forward.at("log_sum_exp"), targets, dlogprob, temperature);
      }
    }
  }
}

TEST(LogSoftmax, OfOneTokenIsNothing) {
  const HostTensor logits({1, 1}, std::vector<float>{3.3F});
  const HostTensor target(std::vector<std::int32_t>{0});
  const auto forward = log_softmax(backend_under_test(), logits, target, 0.7);
  EXPECT_EQ(forward.at("logprob").number(0), 0.0);
  EXPECT_EQ(forward.at("entropy").number(0), 0.0);
  const auto backward = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.log_softmax_backward(run.queue, run.out("logits", logits),
                                     run.in(forward.at("log_sum_exp")), run.in(target),
                                     run.in(HostTensor(std::vector<float>{1.0F})), 0.7);
  });
  EXPECT_NEAR(backward.at("logits").number(0), 0.0, 1e-6);
}

TEST(LogSoftmax, KeepsF32RoundingOverAWholeVocabulary) {
  // Nearly equal logits: every one of 50,257 terms counts.
  Random random(2);
  const HostTensor logits = random.normal({4, 50257}, 0.01, 20.0);
  const HostTensor targets = random.indices({4}, 50257);
  const auto expected = log_softmax(reference::backend, logits, targets, 1.0);
  const auto actual = log_softmax(backend_under_test(), logits, targets, 1.0);
  expect_close("log_sum_exp", actual.at("log_sum_exp"), expected.at("log_sum_exp"), 6e-8);
  expect_close("logprob", actual.at("logprob"), expected.at("logprob"), 1e-7);
  expect_close("entropy", actual.at("entropy"), expected.at("entropy"), 1e-7);
}

TEST(LogSoftmax, ARowDependsOnItselfOnly) {
  Random random(3);
  const std::int64_t vocabulary = 1003;
  const HostTensor logits = random.normal({9, vocabulary}, 3.0);
  const HostTensor targets = random.indices({9}, vocabulary);
  omp_set_num_threads(2);
  const auto all = log_softmax(backend_under_test(), logits, targets, 0.7);
  omp_set_num_threads(1);
  for (std::int64_t row = 0; row < 9; ++row) {
    const auto one = log_softmax(backend_under_test(), logits.rows(row, row + 1),
                                 targets.rows(row, row + 1), 0.7, row % 2 == 0);
    EXPECT_TRUE(one.at("logprob") == all.at("logprob").rows(row, row + 1));
    EXPECT_TRUE(one.at("log_sum_exp") == all.at("log_sum_exp").rows(row, row + 1));
  }
}

TEST(LogSoftmax, IsStable) {
  const HostTensor logits({3, 2}, std::vector<float>{1e4F, -1e4F, -1e6F, -1e6F, 3.0F, -INFINITY});
  const HostTensor targets(std::vector<std::int32_t>{1, 0, 0});
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    const auto result = log_softmax(*backend, logits, targets, 1.0);
    EXPECT_EQ(result.at("logprob").values<float>()[0], -2e4F);
    EXPECT_FLOAT_EQ(result.at("logprob").values<float>()[1], -std::log(2.0F)) << backend->name;
    EXPECT_EQ(result.at("logprob").values<float>()[2], 0.0F);
    EXPECT_EQ(result.at("entropy").values<float>()[0], 0.0F);
    EXPECT_EQ(result.at("entropy").values<float>()[2], 0.0F);
  }
}

TEST(LogSoftmax, GradientIsTheSlope) {
  Random random(4);
  const std::int64_t vocabulary = 7;
  const double temperature = 0.8;
  const HostTensor logits = random.normal({1, vocabulary});
  const HostTensor target(std::vector<std::int32_t>{2});
  const auto logprob = [&](std::vector<double> x) {
    double sum = 0.0;
    for (const double value : x) {
      sum += std::exp(value / temperature);
    }
    return x[2] / temperature - std::log(sum);
  };
  const auto forward = log_softmax(backend_under_test(), logits, target, temperature);
  const auto gradient = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.log_softmax_backward(run.queue, run.out("logits", logits),
                                     run.in(forward.at("log_sum_exp")), run.in(target),
                                     run.in(HostTensor(std::vector<float>{1.5F})), temperature);
  });
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    std::vector<double> low;
    for (std::int64_t i = 0; i < vocabulary; ++i) {
      low.push_back(logits.number(i));
    }
    std::vector<double> high = low;
    low[static_cast<std::size_t>(v)] -= 1e-5;
    high[static_cast<std::size_t>(v)] += 1e-5;
    EXPECT_NEAR(gradient.at("logits").number(v), 1.5 * (logprob(high) - logprob(low)) / 2e-5, 1e-6);
  }
}

TEST(LogSoftmax, PassesOnNaN) {
  for (const std::int64_t place : {0, 20, 36}) {
    HostTensor logits = zeros({2, 37});
    logits.data<float>()[place] = std::nanf("");
    const HostTensor targets(std::vector<std::int32_t>{1, 1});
    const auto result = log_softmax(backend_under_test(), logits, targets, 1.0);
    for (const char* name : {"logprob", "log_sum_exp", "entropy"}) {
      EXPECT_TRUE(std::isnan(result.at(name).number(0))) << name << " " << place;
      EXPECT_FALSE(std::isnan(result.at(name).number(1))) << name << " " << place;
    }
    const HostTensor other = zeros({2, 37});
    const auto after = run_on(backend_under_test(), [&](test::Run& run) {
      run.backend.log_softmax_backward(run.queue, run.out("logits", logits),
                                       run.in(result.at("log_sum_exp")), run.in(targets),
                                       run.in(zeros({2})), 1.0);
      run.backend.kl_divergence(run.queue, run.out("kl", zeros({2})), run.in(logits),
                                run.in(result.at("log_sum_exp")), run.in(other),
                                run.in(HostTensor(std::vector<float>{3.6F, 3.6F})), 1.0);
    });
    EXPECT_TRUE(std::isnan(after.at("logits").number(5)));
    EXPECT_FALSE(std::isnan(after.at("logits").number(37)));
    EXPECT_TRUE(std::isnan(after.at("kl").number(0)));
    EXPECT_FALSE(std::isnan(after.at("kl").number(1)));
  }
}

TEST(LogSoftmax, RefusesBf16) {
  const HostTensor logits = zeros({1, 4}, DType::bf16);
  const HostTensor targets(std::vector<std::int32_t>{1});
  EXPECT_THROW(log_softmax(backend_under_test(), logits, targets, 1.0), Error);
  EXPECT_THROW(log_softmax(backend_under_test(), zeros({1, 4}), targets, 0.0), Error);
}

TEST(KlDivergence, AgreesWithReference) {
  Random random(5);
  for (const std::int64_t vocabulary : {3, 16, 100, 50257}) {
    for (const std::int64_t rows : {0, 2}) {
      for (const double temperature : {1.0, 0.7}) {
        const HostTensor p = random.normal({rows, vocabulary}, 2.0);
        const HostTensor q = random.normal({rows, vocabulary}, 2.0);
        const HostTensor targets = random.indices({rows}, vocabulary);
        const auto p_sum =
            log_softmax(reference::backend, p, targets, temperature).at("log_sum_exp");
        const auto q_sum =
            log_softmax(reference::backend, q, targets, temperature).at("log_sum_exp");
        expect_agreement([&](test::Run& run) {
          run.backend.kl_divergence(run.queue, run.out("kl", zeros({rows})), run.in(p),
                                    run.in(p_sum), run.in(q), run.in(q_sum), temperature);
        });
      }
    }
  }
}

TEST(KlDivergence, OfSmallCases) {
  const auto kl_of = [](const std::vector<float>& p, const std::vector<float>& q) {
    const auto size = static_cast<std::int64_t>(p.size());
    const HostTensor p_logits({1, size}, p);
    const HostTensor q_logits({1, size}, q);
    const HostTensor target(std::vector<std::int32_t>{0});
    const auto p_sum = log_softmax(backend_under_test(), p_logits, target, 1.0).at("log_sum_exp");
    const auto q_sum = log_softmax(backend_under_test(), q_logits, target, 1.0).at("log_sum_exp");
    return run_on(backend_under_test(),
                  [&](test::Run& run) {
                    run.backend.kl_divergence(run.queue, run.out("kl", zeros({1})),
                                              run.in(p_logits), run.in(p_sum), run.in(q_logits),
                                              run.in(q_sum), 1.0);
                  })
        .at("kl")
        .number(0);
  };
  EXPECT_EQ(kl_of({1.0F, 2.0F, 3.0F}, {1.0F, 2.0F, 3.0F}), 0.0);
  EXPECT_NEAR(kl_of({std::log(0.75F), std::log(0.25F)}, {std::log(0.5F), std::log(0.5F)}),
              0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-7);
  // A token that neither has adds nothing.
  EXPECT_EQ(kl_of({0.0F, -INFINITY}, {0.0F, -INFINITY}), 0.0);
}

}  // namespace
}  // namespace precis::test
