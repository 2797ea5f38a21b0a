// log-softmax forward and backward, entropy and the KL divergence.
#include <omp.h>

#include "kernels/harness.hpp"

namespace precis::test {
namespace {

using Bounds = std::vector<std::int64_t>;

std::int64_t count_of(const Bounds& parts) { return parts.empty() ? 1 : std::ssize(parts) - 1; }

/// The partials of some tokens, from `first` on, and what they join to.
void log_softmax_call(test::Run& run, const HostTensor& logits, const HostTensor& targets,
                      double temperature, const Bounds& parts = {}, bool with_entropy = true,
                      std::int64_t first = 0) {
  const std::int64_t rows = logits.shape()[0];
  const View partials = run.out("partials", zeros({count_of(parts), rows, 4}, DType::f64));
  run.backend.log_softmax_parts(run.queue, partials, run.in(logits), run.in(targets), first,
                                temperature, parts, with_entropy);
  run.backend.log_softmax_join(run.queue, run.out("logprob", zeros({rows})),
                               run.out("log_sum_exp", zeros({rows})),
                               with_entropy ? run.out("entropy", zeros({rows})) : View(), partials);
}

std::map<std::string, HostTensor> log_softmax(const Backend& backend, const HostTensor& logits,
                                              const HostTensor& targets, double temperature,
                                              bool with_entropy = true, const Bounds& parts = {}) {
  return run_on(backend, [&](test::Run& run) {
    log_softmax_call(run, logits, targets, temperature, parts, with_entropy);
  });
}

/// Columns [begin, end).
HostTensor columns(const HostTensor& x, std::int64_t begin, std::int64_t end) {
  HostTensor part(DType::f32, {x.shape()[0], end - begin});
  for (std::int64_t row = 0; row < x.shape()[0]; ++row) {
    std::copy_n(x.data<float>() + row * x.shape()[1] + begin, end - begin,
                part.data<float>() + row * (end - begin));
  }
  return part;
}

/// Cuts of a vocabulary: even, uneven, with empty parts at either end and between.
std::vector<Bounds> cuts(std::int64_t v) {
  return {{0, v},
          {0, v / 2, v},
          {0, v, v},
          {0, 0, v / 3, v / 3, v},
          {0, v / 9, v / 4, v / 2, v / 2, v - 1, v, v, v}};
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
                                                     run.in(dlogprob), 0, temperature);
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
            [&](test::Run& run) { log_softmax_call(run, logits, targets, temperature); }, 2e-6);
        expect_gradients_agree(logits, forward.at("log_sum_exp"), targets, dlogprob, temperature);
      }
    }
  }
}

/// The KL of p from q, their partials as well.
void kl_call(test::Run& run, const HostTensor& p, const HostTensor& p_sum, const HostTensor& q,
             const HostTensor& q_sum, double temperature, const Bounds& parts = {}) {
  const std::int64_t rows = p.shape()[0];
  const View partials = run.out("partials", zeros({count_of(parts), rows}, DType::f64));
  run.backend.kl_parts(run.queue, partials, run.in(p), run.in(p_sum), run.in(q), run.in(q_sum),
                       temperature, parts);
  run.backend.kl_join(run.queue, run.out("kl", zeros({rows})), partials);
}

TEST(LogSoftmax, OfPartsAgreesWithReference) {
  Random random(6);
  for (const std::int64_t vocabulary : {1, 2, 17, 515, 50257}) {
    const HostTensor logits = random.normal({3, vocabulary}, 4.0, -3.0);
    const HostTensor targets = random.indices({3}, vocabulary);
    for (const Bounds& parts : cuts(vocabulary)) {
      for (const bool with_entropy : {true, false}) {
        expect_agreement(
            [&](test::Run& run) {
              log_softmax_call(run, logits, targets, 0.7, parts, with_entropy);
            },
            2e-6);
      }
    }
  }
}

/// Joining partials by hand, as ranks do that have some of the parts each.
TEST(LogSoftmax, PartialsOfSeveralCallsHaveTheBitsOfOne) {
  Random random(7);
  const std::int64_t rows = 4;
  const std::int64_t vocabulary = 1003;
  const HostTensor logits = random.normal({rows, vocabulary}, 4.0);
  const HostTensor reference = random.normal({rows, vocabulary}, 4.0);
  const HostTensor targets = random.indices({rows}, vocabulary);
  for (const Bounds& parts : {Bounds{0, 125, 251, 376, 501, 627, 752, 878, 1003},
                              Bounds{0, 0, 3, 400, 400, 401, 990, 1003, 1003}}) {
    const auto whole = log_softmax(backend_under_test(), logits, targets, 0.7, true, parts);
    const HostTensor& sums = whole.at("log_sum_exp");
    const auto kl = run_on(backend_under_test(), [&](test::Run& run) {
      kl_call(run, logits, sums, reference, sums, 0.7, parts);
    });
    for (const std::size_t calls : {2, 4}) {
      const std::size_t of_call = 8 / calls;
      HostTensor partials(DType::f64, {8, rows, 4});
      HostTensor kl_partials(DType::f64, {8, rows});
      for (std::size_t call = 0; call < calls; ++call) {
        const std::int64_t begin = parts[call * of_call];
        const std::int64_t end = parts[(call + 1) * of_call];
        Bounds bounds;
        for (std::size_t p = call * of_call; p <= (call + 1) * of_call; ++p) {
          bounds.push_back(parts[p] - begin);
        }
        const auto part = run_on(backend_under_test(), [&](test::Run& run) {
          log_softmax_call(run, columns(logits, begin, end), targets, 0.7, bounds, true, begin);
        });
        const auto kl_part = run_on(backend_under_test(), [&](test::Run& run) {
          kl_call(run, columns(logits, begin, end), sums, columns(reference, begin, end), sums, 0.7,
                  bounds);
        });
        std::copy_n(part.at("partials").data<double>(), part.at("partials").numel(),
                    partials.data<double>() + call * of_call * rows * 4);
        std::copy_n(kl_part.at("partials").data<double>(), kl_part.at("partials").numel(),
                    kl_partials.data<double>() + call * of_call * rows);
      }
      EXPECT_EQ(partials, whole.at("partials"));
      EXPECT_EQ(kl_partials, kl.at("partials"));
      const auto joined = run_on(backend_under_test(), [&](test::Run& run) {
        run.backend.log_softmax_join(run.queue, run.out("logprob", zeros({rows})),
                                     run.out("log_sum_exp", zeros({rows})),
                                     run.out("entropy", zeros({rows})), run.in(partials));
        run.backend.kl_join(run.queue, run.out("kl", zeros({rows})), run.in(kl_partials));
      });
      for (const char* name : {"logprob", "log_sum_exp", "entropy"}) {
        EXPECT_EQ(joined.at(name), whole.at(name)) << name;
      }
      EXPECT_EQ(joined.at("kl"), kl.at("kl"));
    }
  }
}

TEST(LogSoftmax, GradientsOfPartsHaveTheBitsOfTheWhole) {
  Random random(8);
  const std::int64_t vocabulary = 515;
  const HostTensor logits = random.normal({5, vocabulary}, 3.0);
  const HostTensor targets = random.indices({5}, vocabulary);
  const HostTensor dlogprob = random.normal({5});
  const HostTensor sums = log_softmax(backend_under_test(), logits, targets, 0.7).at("log_sum_exp");
  const auto gradient = [&](std::int64_t begin, std::int64_t end) {
    return run_on(backend_under_test(),
                  [&](test::Run& run) {
                    run.backend.log_softmax_backward(
                        run.queue, run.out("logits", columns(logits, begin, end)), run.in(sums),
                        run.in(targets), run.in(dlogprob), begin, 0.7);
                  })
        .at("logits");
  };
  const HostTensor whole = gradient(0, vocabulary);
  const Bounds bounds{0, 1, 1, 200, 457, vocabulary};
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
    EXPECT_EQ(gradient(bounds[i], bounds[i + 1]), columns(whole, bounds[i], bounds[i + 1]));
  }
}

/// Parts without a finite logit add nothing; a NaN or plus infinity in any part is in all results
/// of its row, and so is a row without a finite logit.
TEST(LogSoftmax, OfPartsKnowsInfinitiesAndNaN) {
  HostTensor logits = zeros({5, 40});
  const auto at = [&](std::int64_t row, std::int64_t v) -> float& {
    return logits.data<float>()[row * 40 + v];
  };
  for (std::int64_t v = 0; v < 40; ++v) {
    at(0, v) = v < 20 ? -INFINITY : static_cast<float>(v);
    at(1, v) = static_cast<float>(v);
    at(4, v) = -INFINITY;
  }
  at(2, 25) = std::nanf("");
  at(3, 3) = INFINITY;
  const HostTensor targets(std::vector<std::int32_t>{30, 2, 1, 39, 0});
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    const auto whole = log_softmax(*backend, logits, targets, 1.0);
    const auto cut = log_softmax(*backend, logits, targets, 1.0, true, {0, 10, 20, 20, 40});
    const double* const partials = cut.at("partials").data<double>();
    for (const std::int64_t part : {0, 1, 2}) {
      EXPECT_EQ(partials[part * 20], -INFINITY) << part;
      EXPECT_EQ(partials[part * 20 + 1], 0.0) << part;
      EXPECT_EQ(partials[part * 20 + 2], 0.0) << part;
    }
    EXPECT_EQ(partials[60], 39.0);
    EXPECT_TRUE(std::isnan(partials[3 * 20 + 2 * 4]));
    EXPECT_TRUE(std::isnan(partials[3 * 4 + 1]));
    for (const char* name : {"logprob", "log_sum_exp", "entropy"}) {
      for (const std::int64_t row : {0, 1}) {
        EXPECT_NEAR(cut.at(name).number(row), whole.at(name).number(row), 2e-6) << name;
      }
      for (const std::int64_t row : {2, 3, 4}) {
        EXPECT_TRUE(std::isnan(whole.at(name).number(row))) << name << " " << row;
        EXPECT_TRUE(std::isnan(cut.at(name).number(row))) << name << " " << row;
      }
    }
  }
}

TEST(LogSoftmax, JoinsAnyNumberOfParts) {
  Random random(9);
  const HostTensor logits = random.normal({2, 300}, 2.0);
  const HostTensor targets(std::vector<std::int32_t>{7, 290});
  const auto whole = log_softmax(backend_under_test(), logits, targets, 1.0);
  for (const std::int64_t count : {3, 5, 7}) {
    HostTensor partials(DType::f64, {count, 2, 4});
    for (std::int64_t p = 0; p < count; ++p) {
      const std::int64_t begin = 300 * p / count;
      const auto part = run_on(backend_under_test(), [&](test::Run& run) {
        log_softmax_call(run, columns(logits, begin, 300 * (p + 1) / count), targets, 1.0, {}, true,
                         begin);
      });
      std::copy_n(part.at("partials").data<double>(), 8, partials.data<double>() + p * 8);
    }
    const auto joined = run_on(backend_under_test(), [&](test::Run& run) {
      run.backend.log_softmax_join(run.queue, run.out("logprob", zeros({2})),
                                   run.out("log_sum_exp", zeros({2})),
                                   run.out("entropy", zeros({2})), run.in(partials));
    });
    for (const auto& [name, tensor] : joined) {
      expect_close(name, tensor, whole.at(name), 2e-6);
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
                                     run.in(HostTensor(std::vector<float>{1.0F})), 0, 0.7);
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
                                     run.in(HostTensor(std::vector<float>{1.5F})), 0, temperature);
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
                                       run.in(zeros({2})), 0, 1.0);
      kl_call(run, logits, result.at("log_sum_exp"), other,
              HostTensor(std::vector<float>{3.6F, 3.6F}), 1.0, {0, 10, 37});
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
        expect_agreement([&](test::Run& run) { kl_call(run, p, p_sum, q, q_sum, temperature); });
        for (const Bounds& parts : cuts(vocabulary)) {
          expect_agreement(
              [&](test::Run& run) { kl_call(run, p, p_sum, q, q_sum, temperature, parts); });
        }
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
                  [&](test::Run& run) { kl_call(run, p_logits, p_sum, q_logits, q_sum, 1.0); })
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
