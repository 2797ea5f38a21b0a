// Sums, sums of squares and the scale that clips a norm.
#include <omp.h>

#include "kernels/exact_sum.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

HostTensor scalar(double value) { return HostTensor(std::vector<double>{value}); }

HostTensor exact(double value) {
  HostTensor words = zeros({exact_sum_words}, DType::i64);
  add_exactly(words.data<std::int64_t>(), value);
  return words;
}

struct Sums {
  double sum;
  double squares;
};

Sums sums_of(const HostTensor& x, Write write, const Backend& backend = backend_under_test()) {
  const auto result = run_on(backend, [&](test::Run& run) {
    run.backend.sum(run.queue, run.out("sum", exact(3.0)), run.in(x), write);
    run.backend.sum_of_squares(run.queue, run.out("squares", exact(3.0)), run.in(x), write);
  });
  const auto value = [&](const char* name) {
    return ExactSum(result.at(name).values<std::int64_t>()).value();
  };
  return {value("sum"), value("squares")};
}

TEST(Reductions, AgreeWithReference) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 15, 16, 17, 16384, 16385, 100003}) {
    const HostTensor x = random.normal({n}, 1.0, 0.5);
    for (const Write write : {Write::overwrite, Write::accumulate}) {
      const Sums expected = sums_of(x, write, reference::backend);
      const Sums actual = sums_of(x, write);
      EXPECT_NEAR(actual.sum, expected.sum, 1e-13 * (3.0 + expected.squares));
      EXPECT_NEAR(actual.squares, expected.squares, 1e-13 * expected.squares);
    }
  }
}

TEST(Reductions, AreExactOnTheCpu) {
  Random random(2);
  const HostTensor x = random.normal({300001});
  const auto words_of = [&](const Backend& backend, int threads, std::int64_t cut) {
    omp_set_num_threads(threads);
    return run_on(backend, [&](test::Run& run) {
      const View sum = run.out("sum", exact(0.0));
      const View squares = run.out("squares", exact(0.0));
      const ConstView all = run.in(x);
      for (const ConstView part : {all.rows(cut, x.numel()), all.rows(0, cut)}) {
        run.backend.sum(run.queue, sum, part, Write::accumulate);
        run.backend.sum_of_squares(run.queue, squares, part, Write::accumulate);
      }
    });
  };
  const auto expected = words_of(reference::backend, 1, 0);
  EXPECT_EQ(words_of(cpu::backend, 1, 0), expected);
  EXPECT_EQ(words_of(cpu::backend, 2, 7), expected);
  EXPECT_EQ(words_of(cpu::backend, 5, 123456), expected);
}

TEST(Reductions, PassOnNaN) {
  for (const std::int64_t place : {0, 20, 99}) {
    HostTensor x = zeros({100});
    x.data<float>()[place] = std::nanf("");
    for (const Write write : {Write::overwrite, Write::accumulate}) {
      const Sums sums = sums_of(x, write);
      EXPECT_TRUE(std::isnan(sums.sum));
      EXPECT_TRUE(std::isnan(sums.squares));
    }
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
