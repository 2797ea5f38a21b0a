// GELU and gated SiLU against the reference, against finite differences, and to the bit wherever an
// element stands.
#include "base/error.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

const std::vector<Shape> shapes{{0, 4}, {1, 1}, {3, 5}, {2, 16}, {7, 33}, {5, 2049}};
const std::vector<Gelu> kinds{Gelu::erf, Gelu::tanh};

/// Normal numbers, and some from far out.
HostTensor numbers(Random& random, const Shape& shape) {
  HostTensor x = random.normal(shape, 3.0);
  const std::vector<float> special{0.0F, -0.0F, 1e-30F, 8.0F, -8.0F, 50.0F, -50.0F, 1e20F, -1e20F};
  for (std::int64_t i = 0; i < x.numel(); i += 7) {
    x.data<float>()[i] = special[static_cast<std::size_t>(i / 7) % special.size()];
  }
  return x;
}

/// Largest |actual - expected| / |expected| where that is a normal f32 number.
double largest_relative_error(const HostTensor& actual, const HostTensor& expected) {
  double largest = 0.0;
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    if (std::abs(expected.number(i)) > 1e-36) {
      largest = std::max(largest, std::abs(actual.number(i) / expected.number(i) - 1.0));
    }
  }
  return largest;
}

TEST(Gelu, ForwardAgrees) {
  Random random(1);
  for (const Gelu kind : kinds) {
    for (const Shape& shape : shapes) {
      const HostTensor x = numbers(random, shape);
      expect_agreement([&](test::Run& run) {
        run.backend.gelu_forward(run.queue, run.out("out", zeros(shape)), run.in(x), kind);
      });
    }
  }
}

TEST(Gelu, EachNumberIsAccurate) {
  std::vector<float> values;
  for (int i = 0; i < 34'286; ++i) {
    values.push_back(static_cast<float>(-12.0 + 0.0007 * i));
  }
  const HostTensor x(values);
  const HostTensor ones(std::vector<float>(values.size(), 1.0F));
  for (const Gelu kind : kinds) {
    const Call call = [&](test::Run& run) {
      run.backend.gelu_forward(run.queue, run.out("out", zeros(x.shape())), run.in(x), kind);
      run.backend.gelu_backward(run.queue, run.out("dx", zeros(x.shape())), run.in(ones), run.in(x),
                                kind);
    };
    const auto actual = run_on(backend_under_test(), call);
    const auto expected = run_on(reference::backend, call);
    // tanh: exp's argument reaches 200 there, and its rounding is relative to that.
    EXPECT_LE(largest_relative_error(actual.at("out"), expected.at("out")),
              kind == Gelu::erf ? 1e-6 : 1.5e-5);
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      EXPECT_NEAR(actual.at("dx").number(i), expected.at("dx").number(i), 5e-7) << x.number(i);
    }
  }
}

TEST(Gelu, BackwardAgrees) {
  Random random(2);
  for (const Gelu kind : kinds) {
    for (const Shape& shape : shapes) {
      const HostTensor x = numbers(random, shape);
      const HostTensor dout = random.normal(shape);
      expect_agreement([&](test::Run& run) {
        run.backend.gelu_backward(run.queue, run.out("dx", zeros(shape)), run.in(dout), run.in(x),
                                  kind);
        const View in_place = run.out("in place", dout);
        run.backend.gelu_backward(run.queue, in_place, in_place, run.in(x), kind);
      });
    }
  }
}

TEST(Gelu, PassesNanOn) {
  const HostTensor x(std::vector<float>{std::nanf("")});
  const HostTensor one(std::vector<float>{1.0F});
  for (const Gelu kind : kinds) {
    const auto result = run_on(backend_under_test(), [&](test::Run& run) {
      run.backend.gelu_forward(run.queue, run.out("out", zeros({1})), run.in(x), kind);
      run.backend.gelu_backward(run.queue, run.out("dx", zeros({1})), run.in(one), run.in(x), kind);
    });
    EXPECT_TRUE(std::isnan(result.at("out").number(0)));
    EXPECT_TRUE(std::isnan(result.at("dx").number(0)));
  }
}

TEST(GatedSilu, Agrees) {
  Random random(3);
  for (const Shape& shape : shapes) {
    HostTensor gate = random.normal(shape, 4.0);
    if (gate.numel() > 2) {
      gate.data<float>()[0] = 200.0F;
      gate.data<float>()[1] = -200.0F;
    }
    const HostTensor up = random.normal(shape);
    const HostTensor dout = random.normal(shape);
    expect_agreement([&](test::Run& run) {
      run.backend.gated_silu_forward(run.queue, run.out("out", zeros(shape)), run.in(gate),
                                     run.in(up));
      run.backend.gated_silu_backward(run.queue, run.out("dgate", zeros(shape)),
                                      run.out("dup", zeros(shape)), run.in(dout), run.in(gate),
                                      run.in(up));
    });
  }
}

TEST(Activations, GradientsAreThoseOfFiniteDifferences) {
  constexpr double h = 1e-5;
  const auto gelu = [](double x, Gelu kind) {
    return kind == Gelu::erf ? 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2))
                             : 0.5 * x *
                                   (1.0 + std::tanh(std::sqrt(2.0 / std::numbers::pi) *
                                                    (x + 0.044715 * x * x * x)));
  };
  const auto silu = [](double x) { return x / (1.0 + std::exp(-x)); };
  Random random(4);
  const HostTensor x = random.normal({101}, 2.0);
  const HostTensor up = random.normal({101});
  const HostTensor dout = random.normal({101});
  for (const Gelu kind : kinds) {
    const auto result = run_on(backend_under_test(), [&](test::Run& run) {
      run.backend.gelu_backward(run.queue, run.out("dx", zeros({101})), run.in(dout), run.in(x),
                                kind);
      run.backend.gated_silu_backward(run.queue, run.out("dgate", zeros({101})),
                                      run.out("dup", zeros({101})), run.in(dout), run.in(x),
                                      run.in(up));
    });
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      const double xi = x.number(i);
      const double gradient = dout.number(i);
      const double dgelu = (gelu(xi + h, kind) - gelu(xi - h, kind)) / (2.0 * h);
      const double dsilu = (silu(xi + h) - silu(xi - h)) / (2.0 * h);
      EXPECT_NEAR(result.at("dx").number(i), gradient * dgelu, 2e-6);
      EXPECT_NEAR(result.at("dgate").number(i), gradient * up.number(i) * dsilu, 4e-6);
      EXPECT_NEAR(result.at("dup").number(i), gradient * silu(xi), 4e-6);
    }
  }
}

TEST(Activations, BitsDoNotDependOnThePlace) {
  Random random(5);
  const HostTensor x = random.normal({75}, 3.0);
  const HostTensor dout = random.normal({75});
  const auto run_part = [&](std::int64_t begin, std::int64_t end) {
    const HostTensor part = x.rows(begin, end);
    const HostTensor gradient = dout.rows(begin, end);
    return run_on(backend_under_test(), [&](test::Run& run) {
      for (const Gelu kind : kinds) {
        const std::string name = kind == Gelu::erf ? "erf" : "tanh";
        run.backend.gelu_forward(run.queue, run.out(name, zeros(part.shape())), run.in(part), kind);
        run.backend.gelu_backward(run.queue, run.out("d" + name, zeros(part.shape())),
                                  run.in(gradient), run.in(part), kind);
      }
      run.backend.gated_silu_forward(run.queue, run.out("silu", zeros(part.shape())), run.in(part),
                                     run.in(gradient));
      run.backend.gated_silu_backward(run.queue, run.out("dgate", zeros(part.shape())),
                                      run.out("dup", zeros(part.shape())), run.in(gradient),
                                      run.in(part), run.in(gradient));
    });
  };
  const auto whole = run_part(0, 75);
  for (std::int64_t begin = 0; begin < 75; begin += 3) {
    for (const auto& [name, tensor] : run_part(begin, begin + 3)) {
      EXPECT_EQ(tensor, whole.at(name).rows(begin, begin + 3)) << name << " from " << begin;
    }
  }
}

TEST(Activations, RefuseOtherPrecisions) {
  Queue queue = cpu::backend.make_queue();
  HostTensor x(DType::bf16, {2, 3});
  EXPECT_THROW(cpu::backend.gelu_forward(queue, x.view(), x.view(), Gelu::erf), Error);
  EXPECT_THROW(cpu::backend.gated_silu_forward(queue, x.view(), x.view(), x.view()), Error);
}

}  // namespace
}  // namespace precis::test
