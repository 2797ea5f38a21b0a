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
                                            run.in(ids), write);
            },
            0.0);
      }
      expect_agreement([&](test::Run& run) {
        run.backend.embedding_backward(run.queue, run.out("dtable", table), run.in(x), run.in(ids));
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
                                   run.in(ids));
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
    run.backend.embedding_backward(run.queue, run.out("dtable", before), run.in(dout), run.in(ids));
  });
  EXPECT_TRUE(result.at("dtable") == expected);
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
                                                   run.in(ids));
                  })
        .at("dtable");
  };
  const HostTensor one = with_threads(1);
  EXPECT_TRUE(with_threads(2) == one);
  EXPECT_TRUE(with_threads(3) == one);
}

}  // namespace
}  // namespace precis::test
