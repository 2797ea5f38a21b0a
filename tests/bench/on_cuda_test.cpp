// What `precis bench` runs on a GPU: every kernel takes the arguments that it is given, in both
// precisions, and generation is measured.
#include <gtest/gtest.h>

#include <cmath>

#include "bench/kernels.hpp"
#include "bench/speed.hpp"
#include "kernels/cuda/kernels.hpp"

namespace precis {
namespace {

ModelConfig small_model(bool like_llama) {
  ModelConfig c;
  c.layers = 1;
  c.width = 64;
  c.heads = 2;
  c.kv_heads = like_llama ? 1 : 2;
  c.head_dim = 64;
  c.context = 64;
  c.mlp_width = 32;
  c.vocabulary = 40;
  if (like_llama) {
    c.norm = NormKind::rms_norm;
    c.position = PositionKind::rotary;
    c.activation = ActivationKind::gated_silu;
    c.attention_bias = AttentionBias::none;
    c.mlp_bias = false;
    c.tied = false;
  }
  complete(c);
  return c;
}

void expect_times(const std::vector<Measurement>& results, std::size_t count) {
  EXPECT_EQ(results.size(), count);
  for (const Measurement& of : results) {
    ASSERT_EQ(of.seconds.size(), 1U) << of.name;
    EXPECT_TRUE(std::isfinite(of.median()) && of.median() > 0) << of.name;
    EXPECT_GT(of.work.flop + of.work.bytes, 0) << of.name;
  }
}

class BenchOnCuda : public testing::TestWithParam<std::tuple<DType, bool>> {
 protected:
  Device device{cuda::backend, std::get<0>(GetParam())};
  ModelConfig config = small_model(std::get<1>(GetParam()));
  Timing timing{device, 1, [] {}};
};

TEST_P(BenchOnCuda, Kernels) {
  RandomTensors random(device, 1);
  expect_times(measure_kernels(timing, random, config,
                               {.batch = 2, .length = 5, .sequences = {1, 3}, .cached = 33}),
               4 * 3 + 2 + 2 * 2 + 2 + 2 + 2 + 1 + 2 + (std::get<1>(GetParam()) ? 2 * 2 : 3 * 3));
}

TEST_P(BenchOnCuda, Generation) {
  const Model model = make_model(device, config, {}, 1);
  expect_times(measure_generation(timing, model, 2, 5, 3), 2);
}

INSTANTIATE_TEST_SUITE_P(AllCases, BenchOnCuda,
                         testing::Combine(testing::Values(DType::f32, DType::bf16),
                                          testing::Bool()),
                         [](const auto& of) {
                           return std::string(name_of(std::get<0>(of.param))) +
                                  (std::get<1>(of.param) ? "_like_llama" : "_like_gpt2");
                         });

}  // namespace
}  // namespace precis
