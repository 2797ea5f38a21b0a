// Sums, sums of squares and the scale that clips a norm.
#include <omp.h>

#include "kernels/harness.hpp"

namespace precis::test {
namespace {

HostTensor scalar(double value) { return HostTensor(std::vector<double>{value}); }

TEST(Reductions, AgreeWithReference) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 15, 16, 17, 16384, 16385, 100003}) {
    const HostTensor x = random.normal({n}, 1.0, 0.5);
    for (const Write write : {Write::overwrite, Write::accumulate}) {
      expect_agreement(
          [&](test::Run& run) {
            run.backend.sum(run.queue, run.out("sum", scalar(3.0)), run.in(x), write);
            run.backend.sum_of_squares(run.queue, run.out("squares", scalar(3.0)), run.in(x),
                                       write);
          },
          1e-13);
    }
  }
}

TEST(Reductions, DoNotDependOnThreads) {
  Random random(2);
  const HostTensor x = random.normal({300001});
  const auto with_threads = [&](int threads) {
    omp_set_num_threads(threads);
    return run_on(cpu::backend,
                  [&](test::Run& run) {
                    run.backend.sum_of_squares(run.queue, run.out("out", scalar(0.0)), run.in(x),
                                               Write::overwrite);
                  })
        .at("out");
  };
  const HostTensor one = with_threads(1);
  EXPECT_TRUE(with_threads(2) == one);
  EXPECT_TRUE(with_threads(5) == one);
}

TEST(Reductions, PassOnNaN) {
  for (const std::int64_t place : {0, 20, 99}) {
    HostTensor x = zeros({100});
    x.data<float>()[place] = std::nanf("");
    const auto result = run_on(backend_under_test(), [&](test::Run& run) {
      run.backend.sum(run.queue, run.out("sum", scalar(0.0)), run.in(x), Write::overwrite);
      run.backend.sum_of_squares(run.queue, run.out("squares", scalar(0.0)), run.in(x),
                                 Write::accumulate);
    });
    EXPECT_TRUE(std::isnan(result.at("sum").number(0)));
    EXPECT_TRUE(std::isnan(result.at("squares").number(0)));
  }
}

TEST(ClipScale, ScalesDownOnly) {
  const auto scale_of = [](const Backend& backend, double squares, double clip) {
    const auto result = run_on(backend, [&](test::Run& run) {
      run.backend.clip_scale(run.queue, run.out("scale", zeros({1})), run.out("norm", scalar(0.0)),
                             run.in(scalar(squares)), clip);
    });
    EXPECT_EQ(std::isnan(squares), std::isnan(result.at("norm").number(0)));
    if (!std::isnan(squares)) {
      EXPECT_DOUBLE_EQ(result.at("norm").number(0), std::sqrt(squares));
    }
    return result.at("scale").number(0);
  };
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    EXPECT_EQ(scale_of(*backend, 0.25, 1.0), 1.0);
    EXPECT_EQ(scale_of(*backend, 0.0, 1.0), 1.0);
    EXPECT_FLOAT_EQ(static_cast<float>(scale_of(*backend, 16.0, 1.0)), 1.0F / 4.000001F);
    EXPECT_EQ(scale_of(*backend, 16.0, 0.0), 1.0);
    EXPECT_TRUE(std::isnan(scale_of(*backend, std::nan(""), 1.0)));
  }
}

}  // namespace
}  // namespace precis::test
