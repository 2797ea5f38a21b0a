// Rotary position embedding against the reference, against PyTorch's angles, and to the bit.
#include "base/error.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

struct Case {
  std::int64_t tokens, heads, kv_heads, head_dim, dims;
};

TEST(Rotary, Agrees) {
  Random random(1);
  for (const Case& c : std::vector<Case>{{0, 2, 1, 8, 8},
                                         {1, 1, 1, 2, 2},
                                         {5, 3, 3, 20, 20},
                                         {7, 2, 1, 80, 20},
                                         {40, 6, 3, 64, 16},
                                         {9, 4, 2, 128, 128},
                                         {3, 5, 1, 66, 66}}) {
    const HostTensor q = random.normal({c.tokens, c.heads, c.head_dim});
    const HostTensor k = random.normal({c.tokens, c.kv_heads, c.head_dim});
    const HostTensor positions = random.indices({c.tokens}, 100000);
    for (const Rotation direction : {Rotation::forward, Rotation::backward}) {
      expect_agreement(
          [&](test::Run& run) {
            run.backend.rotary(run.queue, run.out("q", q), run.out("k", k), run.in(positions),
                               {c.dims, 10000.0}, direction);
          },
          2e-7);
    }
  }
}

TEST(Rotary, TurnsAsHuggingFaceDoes) {
  struct Angle {
    std::int64_t dims;
    double base;
    std::int32_t position;
    std::int64_t pair;
    double cosine, sine;
  };
  // PyTorch 2.15, f32: inverse = 1 / base**(torch.arange(0, dims, 2).float() / dims), then cos and
  // sin of torch.tensor(float(position)) * inverse.
  const std::vector<Angle> angles{
      {64, 10000.0, 1, 0, 0.540302336, 0.841470957},
      {64, 10000.0, 1, 7, 0.991121769, 0.132957265},
      {64, 10000.0, 100, 1, 0.917596221, -0.397513688},
      {64, 10000.0, 100, 20, 0.950415254, 0.310983628},
      {64, 10000.0, 4095, 1, -0.0900463611, -0.995937586},
      {64, 10000.0, 4095, 7, 0.847204447, -0.531266987},
      {64, 10000.0, 8191, 0, -0.646390498, -0.763006806},
      {64, 10000.0, 8191, 1, -0.842082798, -0.539348304},
      {64, 10000.0, 8191, 7, 0.551389158, -0.834248185},
      {64, 10000.0, 8191, 20, 0.718274891, 0.695759416},
      {128, 500000.0, 100, 7, 0.241039589, -0.970515311},
      {128, 500000.0, 4095, 1, 0.870796502, -0.491643608},
      {128, 500000.0, 8191, 1, 0.977398813, -0.211403862},
      {128, 500000.0, 8191, 7, -0.514618099, 0.857419491},
      {128, 500000.0, 8191, 20, -0.848267138, -0.529568493},
  };
  for (const Angle& angle : angles) {
    HostTensor x = zeros({1, 1, angle.dims});
    x.data<float>()[angle.pair] = 1.0F;
    const HostTensor positions(std::vector<std::int32_t>{angle.position});
    const auto result = run_on(backend_under_test(), [&](test::Run& run) {
      run.backend.rotary(run.queue, run.out("q", x), run.out("k", x), run.in(positions),
                         {angle.dims, angle.base}, Rotation::forward);
    });
    for (const HostTensor& turned : {result.at("q"), result.at("k")}) {
      EXPECT_NEAR(turned.number(angle.pair), angle.cosine, 2e-7) << angle.position;
      EXPECT_NEAR(turned.number(angle.pair + angle.dims / 2), angle.sine, 2e-7) << angle.position;
    }
  }
}

TEST(Rotary, BackwardUndoesForward) {
  Random random(2);
  const HostTensor x = random.normal({11, 3, 48});
  const HostTensor positions = random.indices({11}, 8192);
  const auto result = run_on(backend_under_test(), [&](test::Run& run) {
    const View q = run.out("q", x);
    const View k = run.out("k", x.rows(0, 11));
    for (const Rotation direction : {Rotation::forward, Rotation::backward}) {
      run.backend.rotary(run.queue, q, k, run.in(positions), {32, 10000.0}, direction);
    }
  });
  expect_close("q", result.at("q"), x, 2e-7);
  expect_close("k", result.at("k"), x, 2e-7);
}

TEST(Rotary, BitsDependOnTheTokenAlone) {
  Random random(3);
  const HostTensor q = random.normal({53, 6, 44});
  const HostTensor k = random.normal({53, 3, 44});
  const HostTensor positions = random.indices({53}, 8192);
  const auto rotate = [&](std::int64_t begin, std::int64_t end) {
    return run_on(backend_under_test(), [&](test::Run& run) {
      run.backend.rotary(run.queue, run.out("q", q.rows(begin, end)),
                         run.out("k", k.rows(begin, end)), run.in(positions.rows(begin, end)),
                         {36, 10000.0}, Rotation::forward);
    });
  };
  const auto all = rotate(0, 53);
  for (std::int64_t n = 0; n < 53; n += 4) {
    const auto one = rotate(n, n + 1);
    EXPECT_EQ(one.at("q"), all.at("q").rows(n, n + 1)) << n;
    EXPECT_EQ(one.at("k"), all.at("k").rows(n, n + 1)) << n;
  }
}

TEST(Rotary, RefusesWhatItCannotTurn) {
  Queue queue = cpu::backend.make_queue();
  HostTensor q = zeros({1, 1, 8});
  HostTensor k = zeros({1, 1, 8});
  HostTensor longer = zeros({2, 1, 8});
  HostTensor half(DType::bf16, {1, 1, 8});
  const HostTensor positions(std::vector<std::int32_t>{3});
  for (const std::int64_t dims : {0, 3, 10}) {
    EXPECT_THROW(cpu::backend.rotary(queue, q.view(), k.view(), positions.view(), {dims, 10000.0},
                                     Rotation::forward),
                 Error);
  }
  for (HostTensor* other : {&longer, &half}) {
    EXPECT_THROW(cpu::backend.rotary(queue, q.view(), other->view(), positions.view(), {8, 10000.0},
                                     Rotation::forward),
                 Error);
    EXPECT_THROW(cpu::backend.rotary(queue, other->view(), k.view(), positions.view(), {8, 10000.0},
                                     Rotation::forward),
                 Error);
  }
}

}  // namespace
}  // namespace precis::test
