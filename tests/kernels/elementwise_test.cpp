// fill, copy, add, scale, the embedding and the reductions.
#include <omp.h>

#include "kernels/harness.hpp"

namespace precis::test {
namespace {

const std::vector<std::int64_t> lengths{0, 1, 7, 16, 33, 1000, 40001};

TEST(Elementwise, AgreesWithReference) {
  Random random(1);
  for (const std::int64_t n : lengths) {
    const HostTensor out = random.normal({n});
    const HostTensor x = random.normal({n});
    const HostTensor factor = random.normal({1});
    expect_agreement([&](test::Run& run) { run.backend.fill(run.queue, run.out("out", out), 2.5); },
                     0.0);
    expect_agreement(
        [&](test::Run& run) { run.backend.copy(run.queue, run.out("out", out), run.in(x)); }, 0.0);
    expect_agreement(
        [&](test::Run& run) { run.backend.add(run.queue, run.out("out", out), run.in(x)); }, 0.0);
    expect_agreement(
        [&](test::Run& run) { run.backend.scale(run.queue, run.out("x", x), run.in(factor)); },
        0.0);
  }
}

TEST(Elementwise, BiasAndResidualAreAddedInThisOrder) {
  Random random(5);
  for (const Shape& shape : std::vector<Shape>{{0, 3}, {1, 1}, {7, 33}, {300, 130}}) {
    const HostTensor y = random.normal(shape);
    const HostTensor bias = random.normal({shape[1]});
    const HostTensor residual = random.normal(shape);
    for (const bool with_bias : {false, true}) {
      for (const bool with_residual : {false, true}) {
        HostTensor expected = y;
        for (std::int64_t i = 0; i < y.numel(); ++i) {
          float& sum = expected.data<float>()[i];
          sum += with_bias ? bias.data<float>()[i % shape[1]] : 0.0F;
          sum += with_residual ? residual.data<float>()[i] : 0.0F;
        }
        const auto add = [&](test::Run& run) {
          run.backend.add_bias(run.queue, run.out("y", y), with_bias ? run.in(bias) : ConstView(),
                               with_residual ? run.in(residual) : ConstView());
        };
        EXPECT_TRUE(run_on(backend_under_test(), add).at("y") == expected) << to_string(shape);
        expect_agreement(add);
      }
    }
  }
}

TEST(Elementwise, FillsAndCopiesEveryType) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8}) {
    HostTensor filled = run_on(cpu::backend, [&](test::Run& run) {
                          run.backend.fill(run.queue, run.out("out", zeros({5}, dtype)), 3.0);
                        }).at("out");
    for (std::int64_t i = 0; i < 5; ++i) {
      EXPECT_EQ(filled.number(i), 3.0) << name_of(dtype);
    }
    const auto copied = run_on(cpu::backend, [&](test::Run& run) {
      run.backend.copy(run.queue, run.out("out", zeros({5}, dtype)), run.in(filled));
    });
    EXPECT_TRUE(copied.at("out") == filled) << name_of(dtype);
  }
}

TEST(Elementwise, RefusesBf16AndOtherShapes) {
  const HostTensor x = zeros({4});
  const HostTensor half = zeros({4}, DType::bf16);
  for (const Backend* backend : {&cpu::backend, &reference::backend}) {
    EXPECT_THROW(run_on(*backend,
                        [&](test::Run& run) {
                          backend->add(run.queue, run.out("out", half), run.in(half));
                        }),
                 Error);
    EXPECT_THROW(run_on(*backend,
                        [&](test::Run& run) {
                          backend->add(run.queue, run.out("out", x), run.in(zeros({5})));
                        }),
                 Error);
    EXPECT_THROW(
        run_on(*backend,
               [&](test::Run& run) { backend->fill(run.queue, run.out("out", half), 1.0); }),
        Error);
  }
}

TEST(Embedding, AgreesWithReference) {
  Random random(2);
  for (const std::int64_t width : {1, 5, 64, 131}) {
    for (const std::int64_t tokens : {0, 1, 9, 70}) {
      const std::int64_t rows = 11;
      const HostTensor table = random.normal({rows, width});
      const HostTensor x = random.normal({tokens, width});
      const HostTensor ids = random.indices({tokens}, rows);
      for (const Write write : {Write::overwrite, Write::accumulate}) {
        expect_agreement(
            [&](test::Run& run) {
              run.backend.embedding_forward(run.queue, run.out("out", x), run.in(table),
                                            run.in(ids), 0, write);
            },
            0.0);
      }
      expect_agreement([&](test::Run& run) {
        run.backend.embedding_backward(run.queue, run.out("dtable", table), run.in(x), run.in(ids),
                                       0);
      });
      expect_agreement(
          [&](test::Run& run) {
            run.backend.gather_rows(run.queue, run.out("out", x), run.in(table), run.in(ids));
          },
          0.0);
      expect_agreement([&](test::Run& run) {
        run.backend.scatter_add_rows(run.queue, run.out("out", table), run.in(x), run.in(ids));
      });
    }
  }
}

TEST(Embedding, AddsInTheOrderOfTheTokens) {
  // In f32 the small number survives only when it is added after the large ones have cancelled.
  const HostTensor ids(std::vector<std::int32_t>{1, 1, 1});
  const HostTensor dout({3, 1}, std::vector<float>{1e8F, -1e8F, 1.0F});
  const auto result = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.embedding_backward(run.queue, run.out("dtable", zeros({2, 1})), run.in(dout),
                                   run.in(ids), 0);
  });
  EXPECT_EQ(result.at("dtable").values<float>(), (std::vector<float>{0.0F, 1.0F}));
}

TEST(Embedding, HasTheBitsOfSumsInTheOrderOfTheTokens) {
  Random random(4);
  const std::int64_t tokens = 2500;
  const std::int64_t width = 4;
  const HostTensor dout = random.normal({tokens, width});
  // Some ids are at thousands of places, others at a few that lie far apart.
  HostTensor ids = random.indices({tokens}, 3);
  for (std::int64_t n = 0; n < tokens; n += 5) {
    ids.data<std::int32_t>()[n] = static_cast<std::int32_t>(3 + n % 700);
  }
  HostTensor expected = random.normal({710, width});
  const HostTensor before = expected;
  for (std::int64_t n = 0; n < tokens; ++n) {
    for (std::int64_t c = 0; c < width; ++c) {
      expected.data<float>()[ids.data<std::int32_t>()[n] * width + c] +=
          dout.data<float>()[n * width + c];
    }
  }
  const auto result = run_on(backend_under_test(), [&](test::Run& run) {
    run.backend.embedding_backward(run.queue, run.out("dtable", before), run.in(dout), run.in(ids),
                                   0);
  });
  EXPECT_TRUE(result.at("dtable") == expected);
}

/// Rows cut into tables of their own, one of them empty: each token is in one, and both directions
/// have the bits of the whole table.
TEST(Embedding, OfPartsOfATableIsThatOfTheWhole) {
  Random random(5);
  const std::vector<std::int64_t> bounds{0, 3, 3, 4, 11};
  for (const std::int64_t width : {1, 5, 64, 131}) {
    const std::int64_t tokens = 600;
    const HostTensor table = random.normal({11, width});
    const HostTensor x = random.normal({tokens, width});
    const HostTensor ids = random.indices({tokens}, 11);
    const auto on_rows = [&](std::int64_t begin, std::int64_t end, const HostTensor& added) {
      const HostTensor part = table.rows(begin, end);
      return run_on(backend_under_test(), [&](test::Run& run) {
        run.backend.embedding_forward(run.queue, run.out("out", x), run.in(part), run.in(ids),
                                      begin, Write::overwrite);
        run.backend.embedding_forward(run.queue, run.out("added", added), run.in(part), run.in(ids),
                                      begin, Write::accumulate);
        run.backend.embedding_backward(run.queue, run.out("dtable", part), run.in(x), run.in(ids),
                                       begin);
      });
    };
    const auto whole = on_rows(0, 11, x);
    HostTensor added = x;
    for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
      const auto part = on_rows(bounds[i], bounds[i + 1], added);
      added = part.at("added");
      EXPECT_EQ(part.at("dtable"), whole.at("dtable").rows(bounds[i], bounds[i + 1]));
      for (std::int64_t n = 0; n < tokens; ++n) {
        const std::int64_t id = ids.data<std::int32_t>()[n];
        const bool is_here = bounds[i] <= id && id < bounds[i + 1];
        ASSERT_EQ(part.at("out").rows(n, n + 1),
                  is_here ? whole.at("out").rows(n, n + 1) : zeros({1, width}));
      }
    }
    EXPECT_EQ(added, whole.at("added"));
  }
}

TEST(Embedding, OfPartsOfATableAgreesWithReference) {
  Random random(6);
  const HostTensor table = random.normal({7, 33});
  const HostTensor x = random.normal({90, 33});
  const HostTensor ids = random.indices({90}, 20);
  for (const Write write : {Write::overwrite, Write::accumulate}) {
    expect_agreement(
        [&](test::Run& run) {
          run.backend.embedding_forward(run.queue, run.out("out", x), run.in(table), run.in(ids), 6,
                                        write);
        },
        0.0);
  }
  expect_agreement([&](test::Run& run) {
    run.backend.embedding_backward(run.queue, run.out("dtable", table), run.in(x), run.in(ids), 6);
  });
}

TEST(Embedding, DoesNotDependOnThreads) {
  Random random(3);
  const HostTensor table = random.normal({13, 200});
  const HostTensor x = random.normal({500, 200});
  const HostTensor ids = random.indices({500}, 13);
  const auto with_threads = [&](int threads) {
    omp_set_num_threads(threads);
    return run_on(cpu::backend,
                  [&](test::Run& run) {
                    run.backend.embedding_backward(run.queue, run.out("dtable", table), run.in(x),
                                                   run.in(ids), 0);
                  })
        .at("dtable");
  };
  const HostTensor one = with_threads(1);
  EXPECT_TRUE(with_threads(2) == one);
  EXPECT_TRUE(with_threads(3) == one);
}

}  // namespace
}  // namespace precis::test
