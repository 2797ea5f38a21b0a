// Products of activations in bf16: results in bf16 and f32, and GELU with the product, where the
// width lets cuBLASLt do both at once and where it does not.
#include "kernels/cuda/bf16.hpp"

namespace precis::test {
namespace {

struct Size {
  std::int64_t rows, in, out;
};

const std::vector<Size> sizes{{0, 5, 8},    {1, 1, 1},      {3, 16, 8},   {7, 33, 20},
                              {40, 64, 72}, {33, 130, 257}, {5, 300, 512}};

/// The weight's rounding is part of the backend, so the reference is given the rounded numbers.
HostTensor rounded(const HostTensor& x) { return converted(converted(x, DType::bf16), DType::f32); }

/// The precision that activations have in this run.
DType precision_of(const Activation& half) { return half(zeros({1})).dtype(); }

struct Operands {
  HostTensor x, weight, bias, y;

  Operands(const Size& size, std::uint64_t seed) {
    Random random(seed);
    const double deviation = 1.0 / std::sqrt(static_cast<double>(size.in));
    x = random.normal({size.rows, size.in});
    weight = rounded(random.normal({size.out, size.in}, deviation));
    bias = rounded(random.normal({size.out}));
    y = random.normal({size.rows, size.out});
  }
  [[nodiscard]] Pack pack(test::Run& run, const Activation& half, PackFor purpose) const {
    return run.backend.pack_weight(run.queue, run.in(weight), purpose, precision_of(half), {});
  }
};

TEST(LinearBf16, Forward) {
  for (const Size& size : sizes) {
    const Operands o(size, 1);
    for (const bool with_bias : {false, true}) {
      for (const bool with_residual : {false, true}) {
        SCOPED_TRACE(fmt::format("{} x {} -> {}", size.rows, size.in, size.out));
        expect_bf16_agreement([&](test::Run& run, const Activation& half) {
          const Pack pack = o.pack(run, half, PackFor::forward);
          const ConstView bias = with_bias ? run.in(o.bias) : ConstView();
          run.backend.linear_forward(run.queue, run.out("y", half(o.y)), run.in(half(o.x)), pack,
                                     {}, bias, with_residual ? run.in(half(o.y)) : ConstView());
          // The bias may be rounded already.
          run.backend.linear_forward(run.queue, run.out("same", half(o.y)), run.in(half(o.x)), pack,
                                     {}, with_bias ? run.in(half(o.bias)) : ConstView(), {});
          run.backend.linear_forward(run.queue, run.out("logits", o.y), run.in(half(o.x)), pack, {},
                                     bias, {});
        });
      }
    }
  }
}

TEST(LinearBf16, GeluComesWithItsInput) {
  for (const Size& size : sizes) {
    const Operands o(size, 2);
    for (const Gelu kind : {Gelu::erf, Gelu::tanh}) {
      for (const bool with_bias : {false, true}) {
        SCOPED_TRACE(fmt::format("{} x {} -> {}", size.rows, size.in, size.out));
        expect_bf16_agreement([&](test::Run& run, const Activation& half) {
          const Pack pack = o.pack(run, half, PackFor::forward);
          const ConstView x = run.in(half(o.x));
          const ConstView bias = with_bias ? run.in(o.bias) : ConstView();
          run.backend.linear_gelu_forward(run.queue, run.out("activated", half(o.y)),
                                          run.out("y", half(o.y)), x, pack, bias, kind);
          run.backend.linear_gelu_forward(run.queue, run.out("alone", half(o.y)), {}, x, pack,
                                          with_bias ? run.in(half(o.bias)) : ConstView(), kind);
        });
      }
    }
  }
}

TEST(LinearBf16, Gradients) {
  for (const Size& size : sizes) {
    const Operands o(size, 3);
    const Operands other({size.rows, size.in, size.out + 3}, 4);
    SCOPED_TRACE(fmt::format("{} x {} -> {}", size.rows, size.in, size.out));
    expect_bf16_agreement([&](test::Run& run, const Activation& half) {
      const Pack pack = o.pack(run, half, PackFor::input_gradient);
      const Pack other_pack = other.pack(run, half, PackFor::input_gradient);
      const std::vector<GradientTerm> terms{{run.in(half(o.y)), &pack},
                                            {run.in(half(other.y)), &other_pack}};
      run.backend.linear_input_gradient(run.queue, run.out("dx", half(o.x)),
                                        std::span(terms).first(1));
      run.backend.linear_input_gradient(run.queue, run.out("dx of two", half(o.x)), terms);
      run.backend.linear_weight_gradient(run.queue, run.out("dweight", o.weight),
                                         run.out("dbias", o.bias), run.in(half(o.y)),
                                         run.in(half(o.x)));
    });
  }
}

}  // namespace
}  // namespace precis::test
