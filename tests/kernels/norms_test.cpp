// Layer norm and RMS norm against the reference, against finite differences, and to the bit over
// batches and threads.
#include <omp.h>

#include "base/error.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

const std::vector<Shape> shapes{{0, 5}, {1, 1}, {3, 7}, {5, 64}, {17, 100}, {70, 771}, {130, 33}};

class WithThreads {
 public:
  explicit WithThreads(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  WithThreads(const WithThreads&) = delete;
  WithThreads& operator=(const WithThreads&) = delete;
  ~WithThreads() { omp_set_num_threads(before_); }

 private:
  int before_;
};

TEST(LayerNorm, ForwardAgrees) {
  Random random(1);
  for (const Shape& shape : shapes) {
    for (const bool with_bias : {true, false}) {
      const HostTensor x = random.normal(shape, 3.0, 1.0);
      const HostTensor weight = random.normal({shape[1]});
      const HostTensor bias = with_bias ? random.normal({shape[1]}) : HostTensor();
      expect_agreement(
          [&](test::Run& run) {
            const View out = run.out("out", zeros(shape));
            const View mean = run.out("mean", zeros({shape[0]}));
            const View rstd = run.out("rstd", zeros({shape[0]}));
            run.backend.layer_norm_forward(run.queue, out, mean, rstd, run.in(x), run.in(weight),
                                           run.in(bias), 1e-5);
          },
          1e-6);
    }
  }
}

TEST(LayerNorm, BackwardAgrees) {
  Random random(2);
  for (const Shape& shape : shapes) {
    for (const bool with_bias : {true, false}) {
      const HostTensor x = random.normal(shape, 2.0, 0.5);
      const HostTensor weight = random.normal({shape[1]});
      const HostTensor dout = random.normal(shape);
      const HostTensor mean = random.normal({shape[0]}, 0.1);
      const HostTensor rstd = random.uniform({shape[0]}, 0.3, 0.7);
      const HostTensor dx = random.normal(shape);
      const HostTensor dweight = random.normal({shape[1]});
      const HostTensor dbias = with_bias ? random.normal({shape[1]}) : HostTensor();
      expect_agreement(
          [&](test::Run& run) {
            const View to_x = run.out("dx", dx);
            const View to_weight = run.out("dweight", dweight);
            const View to_bias = with_bias ? run.out("dbias", dbias) : View();
            run.backend.layer_norm_backward(run.queue, to_x, to_weight, to_bias, run.in(dout),
                                            run.in(x), run.in(weight), run.in(mean), run.in(rstd));
          },
          2e-6);
    }
  }
}

TEST(RmsNorm, ForwardAgrees) {
  Random random(3);
  for (const Shape& shape : shapes) {
    const HostTensor x = random.normal(shape, 3.0, 1.0);
    const HostTensor weight = random.normal({shape[1]});
    expect_agreement(
        [&](test::Run& run) {
          const View out = run.out("out", zeros(shape));
          const View rstd = run.out("rstd", zeros({shape[0]}));
          run.backend.rms_norm_forward(run.queue, out, rstd, run.in(x), run.in(weight), 1e-6);
        },
        1e-6);
  }
}

TEST(RmsNorm, BackwardAgrees) {
  Random random(4);
  for (const Shape& shape : shapes) {
    const HostTensor x = random.normal(shape, 2.0, 0.5);
    const HostTensor weight = random.normal({shape[1]});
    const HostTensor dout = random.normal(shape);
    const HostTensor rstd = random.uniform({shape[0]}, 0.3, 0.7);
    const HostTensor dx = random.normal(shape);
    const HostTensor dweight = random.normal({shape[1]});
    expect_agreement(
        [&](test::Run& run) {
          const View to_x = run.out("dx", dx);
          const View to_weight = run.out("dweight", dweight);
          run.backend.rms_norm_backward(run.queue, to_x, to_weight, run.in(dout), run.in(x),
                                        run.in(weight), run.in(rstd));
        },
        2e-6);
  }
}

/// sum of dout * norm(x) * weight in double; RMS norm if not `centred`.
double weighted_sum(const std::vector<double>& x, const std::vector<double>& weight,
                    const HostTensor& dout, bool centred, double epsilon) {
  const std::size_t width = weight.size();
  double total = 0.0;
  for (std::size_t row = 0; row < x.size() / width; ++row) {
    double mean = 0.0;
    double square = 0.0;
    for (std::size_t i = 0; i < width; ++i) {
      mean += centred ? x[row * width + i] / static_cast<double>(width) : 0.0;
    }
    for (std::size_t i = 0; i < width; ++i) {
      square += std::pow(x[row * width + i] - mean, 2) / static_cast<double>(width);
    }
    for (std::size_t i = 0; i < width; ++i) {
      total += dout.number(static_cast<std::int64_t>(row * width + i)) *
               (x[row * width + i] - mean) / std::sqrt(square + epsilon) * weight[i];
    }
  }
  return total;
}

TEST(Norms, GradientsAreThoseOfFiniteDifferences) {
  Random random(5);
  const Shape shape{3, 19};
  const double epsilon = 1e-5;
  for (const bool centred : {true, false}) {
    const HostTensor x = random.normal(shape, 2.0, 0.5);
    const HostTensor weight = random.normal({shape[1]});
    const HostTensor dout = random.normal(shape);
    const auto result = run_on(backend_under_test(), [&](test::Run& run) {
      const ConstView xv = run.in(x);
      const ConstView wv = run.in(weight);
      const ConstView dv = run.in(dout);
      const View out = run.out("out", zeros(shape));
      const View mean = run.out("mean", zeros({shape[0]}));
      const View rstd = run.out("rstd", zeros({shape[0]}));
      const View dx = run.out("dx", zeros(shape));
      const View dweight = run.out("dweight", zeros({shape[1]}));
      if (centred) {
        run.backend.layer_norm_forward(run.queue, out, mean, rstd, xv, wv, ConstView(), epsilon);
        run.backend.layer_norm_backward(run.queue, dx, dweight, View(), dv, xv, wv, mean, rstd);
      } else {
        run.backend.rms_norm_forward(run.queue, out, rstd, xv, wv, epsilon);
        run.backend.rms_norm_backward(run.queue, dx, dweight, dv, xv, wv, rstd);
      }
    });
    const auto doubles = [](const HostTensor& t) {
      const auto values = t.values<float>();
      return std::vector<double>(values.begin(), values.end());
    };
    std::vector<double> xd = doubles(x);
    std::vector<double> wd = doubles(weight);
    const auto expect_gradient = [&](std::vector<double>& at, const HostTensor& gradient) {
      for (std::size_t i = 0; i < at.size(); ++i) {
        const double value = at[i];
        const double h = 1e-4;
        at[i] = value + h;
        const double high = weighted_sum(xd, wd, dout, centred, epsilon);
        at[i] = value - h;
        const double low = weighted_sum(xd, wd, dout, centred, epsilon);
        at[i] = value;
        EXPECT_NEAR(gradient.number(static_cast<std::int64_t>(i)), (high - low) / (2.0 * h), 5e-6);
      }
    };
    expect_gradient(xd, result.at("dx"));
    expect_gradient(wd, result.at("dweight"));
  }
}

TEST(Norms, BitsDependOnTheRowAlone) {
  Random random(6);
  const Shape shape{37, 203};
  const HostTensor x = random.normal(shape);
  const HostTensor weight = random.normal({shape[1]});
  const HostTensor bias = random.normal({shape[1]});
  const auto forward = [&](const HostTensor& rows) {
    return run_on(backend_under_test(), [&](test::Run& run) {
      const Shape row{rows.shape()[0]};
      run.backend.layer_norm_forward(run.queue, run.out("out", zeros(rows.shape())),
                                     run.out("mean", zeros(row)), run.out("rstd", zeros(row)),
                                     run.in(rows), run.in(weight), run.in(bias), 1e-5);
      run.backend.rms_norm_forward(run.queue, run.out("rms_out", zeros(rows.shape())),
                                   run.out("rms_rstd", zeros(row)), run.in(rows), run.in(weight),
                                   1e-5);
    });
  };
  const auto all = forward(x);
  for (std::int64_t n = 0; n < shape[0]; n += 5) {
    for (const auto& [name, tensor] : forward(x.rows(n, n + 1))) {
      EXPECT_EQ(tensor, all.at(name).rows(n, n + 1)) << name << " of row " << n;
    }
  }
}

TEST(Norms, BitsDoNotDependOnThreads) {
  Random random(7);
  const Shape shape{211, 130};
  const HostTensor x = random.normal(shape);
  const HostTensor dout = random.normal(shape);
  const HostTensor weight = random.normal({shape[1]});
  const HostTensor mean = random.normal({shape[0]});
  const HostTensor rstd = random.uniform({shape[0]}, 0.5, 2.0);
  const auto backward = [&](int threads) {
    const WithThreads with(threads);
    return run_on(cpu::backend, [&](test::Run& run) {
      run.backend.layer_norm_backward(run.queue, run.out("dx", zeros(shape)),
                                      run.out("dweight", zeros({shape[1]})),
                                      run.out("dbias", zeros({shape[1]})), run.in(dout), run.in(x),
                                      run.in(weight), run.in(mean), run.in(rstd));
    });
  };
  const auto one = backward(1);
  EXPECT_EQ(backward(2), one);
  EXPECT_EQ(backward(3), one);
}

TEST(Norms, RefuseOtherPrecisions) {
  Queue queue = cpu::backend.make_queue();
  HostTensor x(DType::bf16, {2, 3});
  HostTensor row = zeros({2});
  HostTensor column = zeros({3});
  EXPECT_THROW(cpu::backend.layer_norm_forward(queue, x.view(), row.view(), row.view(), x.view(),
                                               column.view(), ConstView(), 1e-5),
               Error);
  EXPECT_THROW(
      cpu::backend.rms_norm_forward(queue, x.view(), row.view(), x.view(), column.view(), 1e-5),
      Error);
}

}  // namespace
}  // namespace precis::test
