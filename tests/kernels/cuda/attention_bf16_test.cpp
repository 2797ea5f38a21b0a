// Attention in bf16: on tensor cores for the head dimensions that they take, and else without them.
#include <numeric>

#include "base/error.hpp"
#include "kernels/cuda/bf16.hpp"

namespace precis::test {
namespace {

struct Case {
  std::vector<std::int32_t> lengths;
  std::int64_t heads, kv_heads, head_dim;
  std::int32_t before = 0, after = 0;  ///< Tokens outside of all sequences.

  [[nodiscard]] std::int64_t tokens() const {
    return std::accumulate(lengths.begin(), lengths.end(), before + after);
  }
  [[nodiscard]] HostTensor offsets() const {
    std::vector<std::int32_t> result{before};
    for (const std::int32_t length : lengths) {
      result.push_back(result.back() + length);
    }
    return HostTensor(result);
  }
  [[nodiscard]] double scale() const { return 1.0 / std::sqrt(static_cast<double>(head_dim)); }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "head dimension " << c.head_dim << ", " << c.heads << " heads, " << c.kv_heads
             << " key-value heads, " << c.tokens() << " tokens";
}

const std::vector<Case> cases{
    {{}, 2, 1, 64},
    {{0, 0}, 1, 1, 128},
    {{1}, 1, 1, 64},
    {{1, 2, 31, 64, 65, 130}, 2, 1, 64},
    {{40, 3}, 6, 2, 64},
    {{130, 0, 65, 31, 64, 2, 1}, 1, 1, 80},
    {{64, 130, 2, 1, 65, 31}, 1, 1, 96, 3, 2},
    {{65, 1, 130, 2, 31, 64}, 2, 1, 128, 70},
    {{31, 2, 65, 1, 64, 130}, 2, 1, 256, 0, 5},
    // Without tensor cores.
    {{31, 2, 65}, 6, 2, 40, 1, 1},
    {{33}, 3, 1, 7},
    {{40}, 2, 2, 200},
};

struct Inputs {
  HostTensor q, k, v, dout;
};

Inputs inputs(const Case& c, std::uint64_t seed) {
  Random random(seed);
  const Shape shape{c.tokens(), c.heads, c.head_dim};
  const Shape kv_shape{c.tokens(), c.kv_heads, c.head_dim};
  return {random.normal(shape), random.normal(kv_shape), random.normal(kv_shape),
          random.normal(shape)};
}

void forward(test::Run& run, const Activation& half, const Case& c, const Inputs& x) {
  run.backend.attention_forward(
      run.queue, run.out("out", half(x.dout)), run.out("log_sum_exp", zeros({c.tokens(), c.heads})),
      run.in(half(x.q)), run.in(half(x.k)), run.in(half(x.v)), run.in(c.offsets()), c.scale());
}

void backward(test::Run& run, const Activation& half, const Case& c, const Inputs& x,
              const std::map<std::string, HostTensor>& saved) {
  run.backend.attention_backward(
      run.queue, run.out("dq", half(x.q)), run.out("dk", half(x.k)), run.out("dv", half(x.v)),
      run.in(half(x.dout)), run.in(half(saved.at("out"))), run.in(saved.at("log_sum_exp")),
      run.in(half(x.q)), run.in(half(x.k)), run.in(half(x.v)), run.in(c.offsets()), c.scale(), {});
}

const Activation rounded = [](const HostTensor& x) {
  return converted(converted(x, DType::bf16), DType::f32);
};

TEST(AttentionBf16, Forward) {
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::PrintToString(c));
    const Inputs x = inputs(c, 1);
    expect_bf16_agreement(
        [&](test::Run& run, const Activation& half) { forward(run, half, c, x); });
  }
}

TEST(AttentionBf16, Backward) {
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::PrintToString(c));
    const Inputs x = inputs(c, 2);
    const auto saved =
        run_on(reference::backend, [&](test::Run& run) { forward(run, rounded, c, x); });
    expect_bf16_agreement(
        [&](test::Run& run, const Activation& half) { backward(run, half, c, x, saved); });
  }
}

TEST(AttentionBf16, LargeScoresDoNotOverflow) {
  const Case c{{100}, 2, 1, 64};
  Inputs x = inputs(c, 3);
  for (std::int64_t i = 0; i < x.q.numel(); ++i) {
    x.q.data<float>()[i] *= 30.0F;
  }
  expect_bf16_agreement([&](test::Run& run, const Activation& half) { forward(run, half, c, x); });
}

/// Forward and backward in bf16.
std::map<std::string, HostTensor> both(const Case& c, const Inputs& x) {
  const Activation half = [](const HostTensor& t) { return converted(t, DType::bf16); };
  auto result = run_on(backend_under_test(), [&](test::Run& run) { forward(run, half, c, x); });
  const auto gradients =
      run_on(backend_under_test(), [&](test::Run& run) { backward(run, half, c, x, result); });
  result.insert(gradients.begin(), gradients.end());
  return result;
}

TEST(AttentionBf16, BitsDependOnTheSequenceAlone) {
  for (const std::int64_t head_dim : {20, 64}) {
    const Case together{{7, 130, 1, 66}, 2, 1, head_dim};
    const Inputs x = inputs(together, 4);
    const auto all = both(together, x);
    std::int64_t begin = 0;
    for (const std::int32_t length : together.lengths) {
      const std::int64_t end = begin + length;
      const Inputs part{x.q.rows(begin, end), x.k.rows(begin, end), x.v.rows(begin, end),
                        x.dout.rows(begin, end)};
      for (const auto& [name, tensor] : both({{length}, 2, 1, head_dim}, part)) {
        EXPECT_EQ(tensor, all.at(name).rows(begin, end)) << name << ", length " << length;
      }
      begin = end;
    }
  }
}

TEST(AttentionBf16, OtherSequencesAreNotRead) {
  const Case c{{5, 60, 9}, 2, 2, 64};
  Inputs x = inputs(c, 5);
  const auto before = both(c, x);
  for (HostTensor* tensor : {&x.q, &x.k, &x.v, &x.dout}) {
    const std::int64_t row = tensor->shape().row_numel();
    std::fill_n(tensor->data<float>(), 5 * row, std::nanf(""));
    std::fill_n(tensor->data<float>() + 65 * row, 9 * row, std::nanf(""));
  }
  for (const auto& [name, tensor] : both(c, x)) {
    EXPECT_EQ(tensor.rows(5, 65), before.at(name).rows(5, 65)) << name;
  }
}

TEST(AttentionBf16, RefusesWrongArguments) {
  Queue queue = backend_under_test().make_queue();
  HostTensor q(DType::bf16, {4, 2, 8});
  HostTensor k(DType::bf16, {4, 2, 8});
  HostTensor three(DType::bf16, {4, 3, 8});
  HostTensor wide(DType::bf16, {4, 2, 264});
  HostTensor f32 = zeros({4, 2, 8});
  HostTensor log_sum_exp = zeros({4, 2});
  HostTensor log_sum_of_three = zeros({4, 3});
  const HostTensor offsets(std::vector<std::int32_t>{0, 4});
  const auto attend = [&](HostTensor& out, HostTensor& sums, HostTensor& queries,
                          HostTensor& keys) {
    backend_under_test().attention_forward(queue, out.view(), sums.view(), queries.view(),
                                           keys.view(), keys.view(), offsets.view(), 1.0);
  };
  EXPECT_THROW(attend(three, log_sum_of_three, three, k), Error);
  EXPECT_THROW(attend(q, log_sum_exp, q, f32), Error);
  EXPECT_THROW(attend(f32, log_sum_exp, q, k), Error);
  EXPECT_THROW(attend(wide, log_sum_exp, wide, wide), Error);
}

}  // namespace
}  // namespace precis::test
