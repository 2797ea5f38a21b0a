// Attention forward and backward against the reference, against finite differences, and to the bit
// over batch compositions and threads.
#include <omp.h>

#include "base/error.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

struct Case {
  std::vector<std::int32_t> offsets;
  std::int64_t tokens, heads, kv_heads, head_dim;
};

const std::vector<Case> cases{
    {{0}, 0, 2, 1, 8},
    {{0, 0, 0}, 0, 2, 2, 16},
    {{0, 1}, 1, 1, 1, 8},
    {{0, 5, 5, 12}, 12, 3, 3, 20},
    {{0, 33, 65, 66}, 66, 4, 2, 64},
    {{0, 100}, 100, 2, 1, 80},
    {{0, 31, 131}, 131, 6, 2, 96},
    {{2, 40, 70}, 75, 4, 4, 128},  // dead rows before and after
    {{0, 70}, 70, 2, 2, 256},
    {{0, 3, 40}, 40, 8, 1, 7},
    {{0, 64, 128, 193}, 193, 5, 5, 12},
};

struct Inputs {
  HostTensor q, k, v, dout, offsets;
};

Inputs inputs(const Case& c, std::uint64_t seed) {
  Random random(seed);
  const Shape shape{c.tokens, c.heads, c.head_dim};
  const Shape kv_shape{c.tokens, c.kv_heads, c.head_dim};
  return {random.normal(shape), random.normal(kv_shape), random.normal(kv_shape),
          random.normal(shape), HostTensor(c.offsets)};
}

double scale_of(const Case& c) { return 1.0 / std::sqrt(static_cast<double>(c.head_dim)); }

void forward(test::Run& run, const Case& c, const Inputs& x) {
  run.backend.attention_forward(run.queue, run.out("out", x.dout),
                                run.out("log_sum_exp", zeros({c.tokens, c.heads})), run.in(x.q),
                                run.in(x.k), run.in(x.v), run.in(x.offsets), scale_of(c));
}

void backward(test::Run& run, const Case& c, const Inputs& x, const HostTensor& out,
              const HostTensor& log_sum_exp, SumParts heads = {}) {
  // What the gradients hold before is overwritten.
  run.backend.attention_backward(run.queue, run.out("dq", x.q), run.out("dk", x.k),
                                 run.out("dv", x.v), run.in(x.dout), run.in(out),
                                 run.in(log_sum_exp), run.in(x.q), run.in(x.k), run.in(x.v),
                                 run.in(x.offsets), scale_of(c), heads);
}

TEST(Attention, ForwardAgrees) {
  for (const Case& c : cases) {
    const Inputs x = inputs(c, 1);
    expect_agreement([&](test::Run& run) { forward(run, c, x); });
  }
}

TEST(Attention, BackwardAgrees) {
  for (const Case& c : cases) {
    const Inputs x = inputs(c, 2);
    const auto saved = run_on(reference::backend, [&](test::Run& run) { forward(run, c, x); });
    expect_agreement(
        [&](test::Run& run) { backward(run, c, x, saved.at("out"), saved.at("log_sum_exp")); },
        2e-6);
  }
}

TEST(Attention, LargeScoresDoNotOverflow) {
  const Case c{{0, 50}, 50, 1, 1, 16};
  Inputs x = inputs(c, 3);
  for (std::int64_t i = 0; i < x.q.numel(); ++i) {
    x.q.data<float>()[i] *= 100.0F;
  }
  // One rounding of a score of some hundreds is 3e-5 of its exponential.
  expect_agreement([&](test::Run& run) { forward(run, c, x); }, 1e-4);
}

/// sum of dout * attention(q, k, v) in double, for one sequence.
double weighted_sum(const Case& c, const std::vector<double>& q, const std::vector<double>& k,
                    const std::vector<double>& v, const HostTensor& dout) {
  double total = 0.0;
  const auto at = [&](std::int64_t n, std::int64_t heads, std::int64_t head, std::int64_t d) {
    return static_cast<std::size_t>((n * heads + head) * c.head_dim + d);
  };
  for (std::int64_t i = 0; i < c.tokens; ++i) {
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const std::int64_t g = h / (c.heads / c.kv_heads);
      double norm = 0.0;
      double sum = 0.0;
      for (std::int64_t j = 0; j <= i; ++j) {
        double score = 0.0;
        double value = 0.0;
        for (std::int64_t d = 0; d < c.head_dim; ++d) {
          score += q[at(i, c.heads, h, d)] * k[at(j, c.kv_heads, g, d)];
          value += dout.number(static_cast<std::int64_t>(at(i, c.heads, h, d))) *
                   v[at(j, c.kv_heads, g, d)];
        }
        norm += std::exp(scale_of(c) * score);
        sum += std::exp(scale_of(c) * score) * value;
      }
      total += sum / norm;
    }
  }
  return total;
}

TEST(Attention, GradientsAreThoseOfFiniteDifferences) {
  const Case c{{0, 9}, 9, 4, 2, 6};
  const Inputs x = inputs(c, 4);
  const auto saved = run_on(backend_under_test(), [&](test::Run& run) { forward(run, c, x); });
  const auto gradient = run_on(backend_under_test(), [&](test::Run& run) {
    backward(run, c, x, saved.at("out"), saved.at("log_sum_exp"));
  });
  const auto doubles = [](const HostTensor& t) {
    const auto values = t.values<float>();
    return std::vector<double>(values.begin(), values.end());
  };
  std::vector<double> q = doubles(x.q);
  std::vector<double> k = doubles(x.k);
  std::vector<double> v = doubles(x.v);
  const auto expect_gradient = [&](const std::string& name, std::vector<double>& at) {
    constexpr double h = 1e-5;
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double value = at[i];
      at[i] = value + h;
      const double high = weighted_sum(c, q, k, v, x.dout);
      at[i] = value - h;
      const double low = weighted_sum(c, q, k, v, x.dout);
      at[i] = value;
      EXPECT_NEAR(gradient.at(name).number(static_cast<std::int64_t>(i)), (high - low) / (2.0 * h),
                  5e-6)
          << name << " " << i;
    }
  };
  expect_gradient("dq", q);
  expect_gradient("dk", k);
  expect_gradient("dv", v);
}

/// Forward and backward.
std::map<std::string, HostTensor> both(const Case& c, const Inputs& x,
                                       const Backend& backend = backend_under_test()) {
  auto result = run_on(backend, [&](test::Run& run) { forward(run, c, x); });
  const auto gradients = run_on(backend, [&](test::Run& run) {
    backward(run, c, x, result.at("out"), result.at("log_sum_exp"));
  });
  result.insert(gradients.begin(), gradients.end());
  return result;
}

TEST(Attention, BitsDependOnTheSequenceAlone) {
  for (const std::int64_t head_dim : {20, 64}) {
    const Case together{{0, 7, 90, 91, 160}, 160, 4, 2, head_dim};
    const Inputs x = inputs(together, 5);
    const auto all = both(together, x);
    for (std::size_t b = 0; b + 1 < together.offsets.size(); ++b) {
      const std::int64_t begin = together.offsets[b];
      const std::int64_t end = together.offsets[b + 1];
      const Case alone{{0, static_cast<std::int32_t>(end - begin)}, end - begin, 4, 2, head_dim};
      const Inputs part{x.q.rows(begin, end), x.k.rows(begin, end), x.v.rows(begin, end),
                        x.dout.rows(begin, end), HostTensor(alone.offsets)};
      for (const auto& [name, tensor] : both(alone, part)) {
        EXPECT_EQ(tensor, all.at(name).rows(begin, end)) << name << " of sequence " << b;
      }
    }
  }
}

using Bounds = std::vector<std::int64_t>;

/// Two sequences, 12 query heads and 3 key-value heads: groups of four.
const Case grouped{{0, 40, 75}, 75, 12, 3, 20};
/// Halved again and again: a half has groups, or heads of one.
const Bounds halved{0, 1, 2, 3, 4, 6, 8, 10, 12};

TEST(Attention, PartsOfTheHeadsChangeRoundingOnly) {
  const Inputs x = inputs(grouped, 11);
  const auto saved = run_on(reference::backend, [&](test::Run& run) { forward(run, grouped, x); });
  const auto with = [&](const Bounds& heads) {
    return [&, heads](test::Run& run) {
      backward(run, grouped, x, saved.at("out"), saved.at("log_sum_exp"), heads);
    };
  };
  const auto whole = run_on(backend_under_test(), with({}));
  // One part in each group, whether or not others are empty.
  for (const Bounds& heads : {Bounds{0, 12}, {0, 4, 12}, {0, 4, 8, 12, 12}, {0, 0, 0, 8, 12}}) {
    EXPECT_EQ(run_on(backend_under_test(), with(heads)), whole);
  }
  for (const Bounds& heads : {halved, Bounds{0, 1, 4, 12, 12}, Bounds{0, 3, 4, 4, 8, 8, 12, 12, 12},
                              Bounds{0, 4, 8, 8, 8, 8, 9, 11, 12}}) {
    expect_agreement(with(heads), 2e-6);
  }
  EXPECT_EQ(run_on(cpu::backend, with({0, 0, 1, 4, 4, 4, 12, 12, 12})),
            run_on(cpu::backend, with({0, 1, 4, 12, 12})))
      << "empty parts add nothing";
}

/// Some query heads and the key-value heads that they use, of x with the heads of `c`.
HostTensor heads_of(const HostTensor& x, std::int64_t begin, std::int64_t end) {
  const std::int64_t heads = x.shape()[1];
  const std::int64_t width = x.shape().rank() > 2 ? x.shape()[2] : 1;
  HostTensor part(DType::f32, {x.shape()[0], end - begin, width});
  for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
    std::copy_n(x.data<float>() + (n * heads + begin) * width, (end - begin) * width,
                part.data<float>() + n * (end - begin) * width);
  }
  return x.shape().rank() > 2 ? part
                              : HostTensor(Shape{x.shape()[0], end - begin}, part.values<float>());
}

/// Each half of a range of parts alone, then the sum of what both have of a key-value head.
TEST(Attention, PartsOfTheHeadsAloneAddUpToTheBits) {
  const Inputs x = inputs(grouped, 12);
  const auto saved = run_on(cpu::backend, [&](test::Run& run) { forward(run, grouped, x); });
  const auto on_parts = [&](std::size_t first, std::size_t last) {
    const std::int64_t begin = halved[first];
    const std::int64_t end = halved[last];
    Bounds bounds;
    for (std::size_t p = first; p <= last; ++p) {
      bounds.push_back(halved[p] - begin);
    }
    const std::int64_t kv_begin = begin / 4;
    const std::int64_t kv_end = (end + 3) / 4;
    const Case c{grouped.offsets, grouped.tokens, end - begin, kv_end - kv_begin, 20};
    const Inputs part{heads_of(x.q, begin, end), heads_of(x.k, kv_begin, kv_end),
                      heads_of(x.v, kv_begin, kv_end), heads_of(x.dout, begin, end), x.offsets};
    return run_on(cpu::backend, [&](test::Run& run) {
      backward(run, c, part, heads_of(saved.at("out"), begin, end),
               heads_of(saved.at("log_sum_exp"), begin, end), bounds);
    });
  };
  const auto whole = on_parts(0, 8);
  // Whole key-value heads, the second of two.
  const auto second_half = on_parts(4, 8);
  EXPECT_EQ(second_half.at("dq"), heads_of(whole.at("dq"), 4, 12));
  EXPECT_EQ(second_half.at("dk"), heads_of(whole.at("dk"), 1, 3));
  EXPECT_EQ(second_half.at("dv"), heads_of(whole.at("dv"), 1, 3));
  // Two halves and four quarters of the first.
  const auto sum = [](HostTensor a, const HostTensor& b) {
    for (std::int64_t i = 0; i < a.numel(); ++i) {
      a.data<float>()[i] += b.data<float>()[i];
    }
    return a;
  };
  std::vector<std::map<std::string, HostTensor>> quarters;
  for (std::size_t p = 0; p < 4; ++p) {
    quarters.push_back(on_parts(p, p + 1));
    EXPECT_EQ(quarters.back().at("dq"), heads_of(whole.at("dq"), halved[p], halved[p + 1]));
  }
  const auto left = on_parts(0, 2);
  const auto right = on_parts(2, 4);
  for (const char* name : {"dk", "dv"}) {
    const HostTensor expected = heads_of(whole.at(name), 0, 1);
    EXPECT_EQ(sum(left.at(name), right.at(name)), expected) << name;
    EXPECT_EQ(sum(sum(quarters[0].at(name), quarters[1].at(name)),
                  sum(quarters[2].at(name), quarters[3].at(name))),
              expected)
        << name;
  }
}

TEST(Attention, PartsOfTheHeadsDoNotDependOnThreads) {
  const Inputs x = inputs(grouped, 13);
  const auto saved = run_on(cpu::backend, [&](test::Run& run) { forward(run, grouped, x); });
  const int threads = omp_get_max_threads();
  const auto with = [&](int count) {
    omp_set_num_threads(count);
    return run_on(cpu::backend, [&](test::Run& run) {
      backward(run, grouped, x, saved.at("out"), saved.at("log_sum_exp"), halved);
    });
  };
  const auto one = with(1);
  for (const int count : {2, 3}) {
    EXPECT_EQ(with(count), one) << count << " threads";
  }
  omp_set_num_threads(threads);
}

TEST(Attention, BitsDoNotDependOnWhatFollows) {
  const Case whole{{0, 100}, 100, 3, 1, 24};
  const Inputs x = inputs(whole, 6);
  const auto all = run_on(backend_under_test(), [&](test::Run& run) { forward(run, whole, x); });
  for (const std::int32_t length : {1, 2, 7, 31, 32, 33, 63, 64, 65, 99}) {
    const Case start{{0, length}, length, 3, 1, 24};
    const Inputs part{x.q.rows(0, length), x.k.rows(0, length), x.v.rows(0, length),
                      x.dout.rows(0, length), HostTensor(start.offsets)};
    for (const auto& [name, tensor] :
         run_on(backend_under_test(), [&](test::Run& run) { forward(run, start, part); })) {
      EXPECT_EQ(tensor, all.at(name).rows(0, length)) << name << ", length " << length;
    }
  }
}

TEST(Attention, TheFutureIsNotRead) {
  const Case c{{0, 60}, 60, 2, 2, 16};
  Inputs x = inputs(c, 7);
  const auto before = run_on(cpu::backend, [&](test::Run& run) { forward(run, c, x); });
  for (std::int64_t i = std::int64_t{45} * 2 * 16; i < x.k.numel(); ++i) {
    x.k.data<float>()[i] = std::nanf("");
    x.v.data<float>()[i] = std::nanf("");
  }
  const auto after = run_on(cpu::backend, [&](test::Run& run) { forward(run, c, x); });
  EXPECT_EQ(after.at("out").rows(0, 45), before.at("out").rows(0, 45));
  EXPECT_TRUE(std::isnan(after.at("out").number(std::int64_t{45} * 2 * 16)));
}

TEST(Attention, BitsDoNotDependOnThreads) {
  const Case c{{0, 17, 150, 155}, 155, 4, 2, 40};
  const Inputs x = inputs(c, 8);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const auto one = both(c, x, cpu::backend);
  for (const int count : {2, 3}) {
    omp_set_num_threads(count);
    EXPECT_EQ(both(c, x, cpu::backend), one) << count << " threads";
  }
  omp_set_num_threads(threads);
}

TEST(Attention, RefusesWrongArguments) {
  Queue queue = cpu::backend.make_queue();
  HostTensor q = zeros({4, 3, 8});
  HostTensor k = zeros({4, 2, 8});
  HostTensor half(DType::bf16, {4, 3, 8});
  HostTensor log_sum_exp = zeros({4, 3});
  const HostTensor offsets(std::vector<std::int32_t>{0, 4});
  const HostTensor backwards(std::vector<std::int32_t>{0, 3, 2});
  const auto attend = [&](HostTensor& out, HostTensor& queries, HostTensor& keys,
                          const HostTensor& at) {
    cpu::backend.attention_forward(queue, out.view(), log_sum_exp.view(), queries.view(),
                                   keys.view(), keys.view(), at.view(), 1.0);
  };
  EXPECT_THROW(attend(q, q, k, offsets), Error);  // 3 heads, 2 key-value heads
  EXPECT_THROW(attend(half, half, half, offsets), Error);
  HostTensor out = q;
  EXPECT_THROW(attend(out, q, q, backwards), Error);
  EXPECT_NO_THROW(attend(out, q, q, offsets));
}

}  // namespace
}  // namespace precis::test
