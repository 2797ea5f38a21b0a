// Elementwise kernels, the embedding, norms, rotary, activations and column sums in bf16.
#include "base/error.hpp"
#include "kernels/cuda/bf16.hpp"
#include "kernels/cuda/linear.hpp"

namespace precis::test {
namespace {

// Odd widths, and multiples of a group of eight over one block's threads and more.
const std::vector<Shape> shapes{{0, 8}, {1, 1}, {3, 7}, {5, 64}, {17, 100}, {6, 2056}, {130, 40}};

TEST(Bf16, Elementwise) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 7, 1000}) {
    const HostTensor x = random.normal({n});
    const HostTensor y = random.normal({n});
    expect_bf16_agreement([&](test::Run& run, const Activation& half) {
      run.backend.add(run.queue, run.out("sum", half(x)), run.in(half(y)));
      run.backend.copy(run.queue, run.out("narrowed", half(x)), run.in(y));
      run.backend.copy(run.queue, run.out("widened", x), run.in(half(y)));
    });
  }
}

TEST(Bf16, Bias) {
  Random random(9);
  for (const Shape& shape : shapes) {
    const HostTensor y = random.normal(shape);
    // The bias is rounded in each call, or was before.
    const HostTensor bias =
        converted(converted(random.normal({shape[1]}), DType::bf16), DType::f32);
    const HostTensor residual = random.normal(shape);
    expect_bf16_agreement([&](test::Run& run, const Activation& half) {
      run.backend.add_bias(run.queue, run.out("both", half(y)), run.in(bias),
                           run.in(half(residual)));
      run.backend.add_bias(run.queue, run.out("bias", half(y)), run.in(half(bias)), {});
      run.backend.add_bias(run.queue, run.out("residual", half(y)), {}, run.in(half(residual)));
    });
  }
}

TEST(Bf16, Embedding) {
  Random random(2);
  for (const std::int64_t width : {1, 9, 64, 1032}) {
    for (const std::int64_t tokens : {0, 1, 40}) {
      const std::int64_t rows = 11;
      const HostTensor table = random.normal({rows, width});
      const HostTensor x = random.normal({tokens, width});
      const HostTensor ids = random.indices({tokens}, rows);
      expect_bf16_agreement([&](test::Run& run, const Activation& half) {
        run.backend.embedding_forward(run.queue, run.out("out", half(x)), run.in(table),
                                      run.in(ids), 0, Write::overwrite);
        run.backend.embedding_forward(run.queue, run.out("added", half(x)), run.in(table),
                                      run.in(ids), 0, Write::accumulate);
        run.backend.embedding_backward(run.queue, run.out("dtable", table), run.in(half(x)),
                                       run.in(ids), 0);
        run.backend.gather_rows(run.queue, run.out("gathered", half(x)), run.in(half(table)),
                                run.in(ids));
        run.backend.scatter_add_rows(run.queue, run.out("scattered", half(table)), run.in(half(x)),
                                     run.in(ids));
      });
    }
  }
}

TEST(Bf16, LayerNorm) {
  Random random(3);
  for (const Shape& shape : shapes) {
    for (const bool with_bias : {true, false}) {
      const HostTensor x = random.normal(shape, 3.0, 1.0);
      const HostTensor weight = random.normal({shape[1]});
      const HostTensor bias = with_bias ? random.normal({shape[1]}) : HostTensor();
      const HostTensor dout = random.normal(shape);
      const HostTensor mean = random.normal({shape[0]}, 0.1);
      const HostTensor rstd = random.uniform({shape[0]}, 0.3, 0.7);
      expect_bf16_agreement([&](test::Run& run, const Activation& half) {
        run.backend.layer_norm_forward(run.queue, run.out("out", half(dout)),
                                       run.out("mean", zeros({shape[0]})),
                                       run.out("rstd", zeros({shape[0]})), run.in(half(x)),
                                       run.in(weight), run.in(bias), 1e-5);
        run.backend.layer_norm_backward(
            run.queue, run.out("dx", half(x)), run.out("dweight", weight),
            with_bias ? run.out("dbias", bias) : View(), run.in(half(dout)), run.in(half(x)),
            run.in(weight), run.in(mean), run.in(rstd));
      });
    }
  }
}

TEST(Bf16, RmsNorm) {
  Random random(4);
  for (const Shape& shape : shapes) {
    const HostTensor x = random.normal(shape, 3.0, 1.0);
    const HostTensor weight = random.normal({shape[1]});
    const HostTensor dout = random.normal(shape);
    const HostTensor rstd = random.uniform({shape[0]}, 0.3, 0.7);
    expect_bf16_agreement([&](test::Run& run, const Activation& half) {
      run.backend.rms_norm_forward(run.queue, run.out("out", half(dout)),
                                   run.out("rstd", zeros({shape[0]})), run.in(half(x)),
                                   run.in(weight), 1e-5);
      run.backend.rms_norm_backward(run.queue, run.out("dx", half(x)), run.out("dweight", weight),
                                    run.in(half(dout)), run.in(half(x)), run.in(weight),
                                    run.in(rstd));
    });
  }
}

// More than four rows for each of the most parts that dweight's sums are taken in.
TEST(Bf16, NormsOfManyRows) {
  Random random(5);
  const Shape shape{2100, 8};
  const HostTensor x = random.normal(shape);
  const HostTensor dout = random.normal(shape);
  const HostTensor weight = random.normal({shape[1]});
  const HostTensor rstd = random.uniform({shape[0]}, 0.3, 0.7);
  expect_bf16_agreement([&](test::Run& run, const Activation& half) {
    run.backend.rms_norm_backward(run.queue, run.out("dx", half(x)), run.out("dweight", weight),
                                  run.in(half(dout)), run.in(half(x)), run.in(weight),
                                  run.in(rstd));
  });
}

TEST(Bf16, Rotary) {
  Random random(6);
  struct Case {
    std::int64_t tokens, heads, kv_heads, head_dim, dims;
  };
  for (const Case& c : std::vector<Case>{{0, 2, 1, 8, 8},
                                         {5, 3, 3, 20, 20},
                                         {7, 2, 1, 80, 20},
                                         {9, 6, 3, 64, 16},
                                         {4, 4, 2, 256, 256}}) {
    const HostTensor q = random.normal({c.tokens, c.heads, c.head_dim});
    const HostTensor k = random.normal({c.tokens, c.kv_heads, c.head_dim});
    const HostTensor positions = random.indices({c.tokens}, 8192);
    for (const Rotation direction : {Rotation::forward, Rotation::backward}) {
      expect_bf16_agreement([&](test::Run& run, const Activation& half) {
        run.backend.rotary(run.queue, run.out("q", half(q)), run.out("k", half(k)),
                           run.in(positions), {c.dims, 10000.0}, direction);
      });
    }
  }
}

TEST(Bf16, Activations) {
  Random random(7);
  for (const Shape& shape : shapes) {
    const HostTensor x = random.normal(shape, 3.0);
    const HostTensor up = random.normal(shape);
    const HostTensor dout = random.normal(shape);
    expect_bf16_agreement([&](test::Run& run, const Activation& half) {
      for (const Gelu kind : {Gelu::erf, Gelu::tanh}) {
        const std::string name = kind == Gelu::erf ? "erf" : "tanh";
        run.backend.gelu_forward(run.queue, run.out(name, half(x)), run.in(half(x)), kind);
        const View in_place = run.out("d" + name, half(dout));
        run.backend.gelu_backward(run.queue, in_place, in_place, run.in(half(x)), kind);
      }
      run.backend.gated_silu_forward(run.queue, run.out("silu", half(x)), run.in(half(x)),
                                     run.in(half(up)));
      run.backend.gated_silu_backward(run.queue, run.out("dgate", half(x)), run.out("dup", half(x)),
                                      run.in(half(dout)), run.in(half(x)), run.in(half(up)));
    });
  }
}

TEST(ColumnSums, AreThoseOfBothPrecisions) {
  Random random(8);
  for (const Shape& shape :
       std::vector<Shape>{{0, 3}, {1, 1}, {31, 5}, {33, 264}, {70, 1000}, {9000, 3}}) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const HostTensor x = converted(random.normal(shape, 1.0, 0.2), dtype);
      const HostTensor before = random.normal({shape[1]});
      HostTensor expected = before;
      for (std::int64_t c = 0; c < shape[1]; ++c) {
        double sum = before.number(c);
        for (std::int64_t n = 0; n < shape[0]; ++n) {
          sum += x.number(n * shape[1] + c);
        }
        expected.data<float>()[c] = static_cast<float>(sum);
      }
      const auto sums = [&] {
        return run_on(backend_under_test(), [&](test::Run& run) {
          cuda::add_column_sums(run.queue, run.out("sums", before), run.in(x));
        });
      };
      const auto actual = sums();
      expect_close(to_string(shape), actual.at("sums"), expected, 2e-6);
      EXPECT_EQ(sums(), actual);
    }
  }
}

TEST(Bf16, PrecisionsMustMatch) {
  Queue queue = backend_under_test().make_queue();
  HostTensor full = zeros({2, 3});
  HostTensor half(DType::bf16, {2, 3});
  HostTensor row = zeros({2});
  HostTensor column = zeros({3});
  const HostTensor positions(std::vector<std::int32_t>{0, 1});
  const Backend& b = backend_under_test();
  EXPECT_THROW(b.add(queue, full.view(), half.view()), Error);
  EXPECT_THROW(b.rms_norm_forward(queue, full.view(), row.view(), half.view(), column.view(), 1e-5),
               Error);
  EXPECT_THROW(b.gelu_forward(queue, full.view(), half.view(), Gelu::tanh), Error);
  EXPECT_THROW(b.scatter_add_rows(queue, half.view(), full.view(), positions.view()), Error);
  EXPECT_THROW(b.sum(queue, row.view(), half.view(), Write::overwrite), Error);
}

}  // namespace
}  // namespace precis::test
