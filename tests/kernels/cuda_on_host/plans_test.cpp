// Which way a product takes through cuBLASLt: an algorithm for each alignment of its operands, and
// product and GELU one after the other where there is none for both at once. The stand-in tells the
// two apart: at once, the GELU is that of numbers which are not rounded yet.
#include "kernels/cuda/bf16.hpp"
#include "kernels/cuda/kernels.hpp"

namespace precis::test {
namespace {

constexpr std::int64_t rows = 5;
constexpr std::int64_t in = 24;
constexpr std::int64_t out = 40;

struct Case {
  std::int64_t activated = 0, y = 0, bias = 0;  ///< Numbers by which they are out of alignment.
  bool with_y = true;
};

/// `numbers` from number `offset` on, in memory that is aligned.
View shifted(View numbers, std::int64_t offset, const Shape& shape) {
  return {numbers.bytes() + offset * size_of(DType::bf16), DType::bf16, shape};
}
HostTensor with_room(const HostTensor& x, std::int64_t offset) {
  HostTensor result = zeros({x.numel() + offset}, DType::bf16);
  std::copy_n(x.data<BFloat16>(), x.numel(), result.data<BFloat16>() + offset);
  return result;
}
HostTensor without_room(const HostTensor& x, std::int64_t offset, const Shape& shape) {
  return {shape,
          std::vector<BFloat16>(x.data<BFloat16>() + offset, x.data<BFloat16>() + x.numel())};
}

class Plans : public testing::Test {
 protected:
  Plans() {
    Random random(1);
    x_ = converted(random.normal({rows, in}), DType::bf16);
    weight_ = random.normal({out, in}, 0.2);
    bias_ = converted(random.normal({out}), DType::bf16);
  }

  /// Activated numbers and y, if it is wanted. All calls share one queue, and so its plans.
  std::pair<HostTensor, HostTensor> gelu(const Case& c) {
    const HostTensor nothing = zeros({rows, out}, DType::bf16);
    const View activated =
        shifted(run_.out("activated", with_room(nothing, c.activated)), c.activated, {rows, out});
    const View y =
        c.with_y ? shifted(run_.out("y", with_room(nothing, c.y)), c.y, {rows, out}) : View{};
    const View bias = shifted(run_.out("bias", with_room(bias_, c.bias)), c.bias, {out});
    run_.backend.linear_gelu_forward(run_.queue, activated, y, run_.in(x_), pack(), bias,
                                     Gelu::tanh);
    auto results = run_.results();
    return {without_room(results.at("activated"), c.activated, {rows, out}),
            c.with_y ? without_room(results.at("y"), c.y, {rows, out}) : HostTensor()};
  }
  /// The same, one kernel after the other.
  std::pair<HostTensor, HostTensor> separate() {
    const HostTensor nothing = zeros({rows, out}, DType::bf16);
    const View activated = run_.out("activated", nothing);
    const View y = run_.out("y", nothing);
    run_.backend.linear_forward(run_.queue, y, run_.in(x_), pack(), {}, run_.in(bias_), {});
    run_.backend.gelu_forward(run_.queue, activated, y, Gelu::tanh);
    auto results = run_.results();
    return {results.at("activated"), results.at("y")};
  }

 private:
  Pack pack() {
    return run_.backend.pack_weight(run_.queue, run_.in(weight_), PackFor::forward, DType::bf16,
                                    {});
  }

  HostTensor x_, weight_, bias_;
  test::Run run_{cuda::backend};
};

TEST_F(Plans, GeluComesWithTheProduct) {
  const auto [activated, y] = gelu({});
  EXPECT_EQ(y, separate().second);
  EXPECT_NE(activated, separate().first) << "the epilogue was not used";
  const auto [alone, none] = gelu({.with_y = false});
  EXPECT_EQ(alone, activated);
}

TEST_F(Plans, WithoutAnAlgorithmForBothOneFollowsTheOther) {
  // GELU's input must lie in whole groups of 8; a plan for one that does is no plan for this one.
  const HostTensor at_once = gelu({}).first;
  EXPECT_EQ(gelu({.y = 1}), separate());
  EXPECT_EQ(gelu({.y = 8}).first, at_once);
  EXPECT_EQ(gelu({.y = 4}), separate());
}

TEST_F(Plans, AnAlgorithmIsForItsAlignments) {
  const auto aligned = gelu({});
  EXPECT_EQ(gelu({.bias = 1}), aligned);
  EXPECT_EQ(gelu({.activated = 1}), aligned);
  EXPECT_EQ(gelu({.activated = 4, .bias = 2}), aligned);
  EXPECT_EQ(gelu({.bias = 3, .with_y = false}).first, aligned.first);
  EXPECT_EQ(gelu({}), aligned);
}

}  // namespace
}  // namespace precis::test
