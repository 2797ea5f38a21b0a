// The model in bf16 beside PyTorch in f32.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cuda/kernels.hpp"
#include "model/golden.hpp"
#include "model/sequence_loss.hpp"

namespace precis {
namespace {

class Bf16 : public testing::TestWithParam<const char*> {};

TEST_P(Bf16, ReadsAboutTheSameNumbersAndGradients) {
  Device device(cuda::backend, DType::bf16);
  const GoldenCase of = read_case(GetParam());
  Model model = make_golden_model(device, of);
  Parameters gradients(device, model.parameters.specs());
  const auto result = SequenceLoss(device, model).accumulate(of.sequences(), gradients);
  ASSERT_EQ(result.read.size(), of.read.size());
  for (std::size_t i = 0; i < of.read.size(); ++i) {
    EXPECT_NEAR(result.read[i], of.read[i], 0.05) << "token " << i;
  }
  // bf16 keeps 8 bits, and a gradient has passed through some dozen roundings.
  const auto ours = by_case_names(of, gradients, device);
  double error = 0;
  double size = 0;
  for (const auto& [name, gradient] : of.gradients) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      error += std::pow(static_cast<double>(ours.at(name)[i] - gradient[i]), 2);
      size += std::pow(static_cast<double>(gradient[i]), 2);
    }
  }
  EXPECT_LT(std::sqrt(error / size), 0.02);
  EXPECT_GT(error, 0.0) << "nothing was rounded";
}

TEST(Bf16Parameters, KeepTheirRoundedBiasesUntilTheyChange) {
  Device device(cuda::backend, DType::bf16);
  Model model = make_golden_model(device, read_case("gpt2_tied"));
  Parameters& parameters = model.parameters;
  const int bias = parameters.find("blocks/000/mlp/up/bias");
  EXPECT_TRUE(parameters.rounded(-1, DType::bf16).empty());
  EXPECT_EQ(parameters.rounded(bias, DType::f32).bytes(), parameters.at(bias).bytes());
  const auto first = [&](ConstView x) { return to_f32(device.to_host<BFloat16>(x).at(0)); };
  const auto set = [&](double value) {
    device.backend().fill(device.queue(), parameters.at(bias), value);
  };
  set(1.0);
  parameters.changed();
  const ConstView rounded = parameters.rounded(bias, DType::bf16);
  EXPECT_EQ(first(rounded), 1.0F);
  set(2.0);
  EXPECT_EQ(first(parameters.rounded(bias, DType::bf16)), 1.0F);
  parameters.changed();
  EXPECT_EQ(first(parameters.rounded(bias, DType::bf16)), 2.0F);
  EXPECT_EQ(rounded.bytes(), parameters.rounded(bias, DType::bf16).bytes()) << "graphs point at it";
}

INSTANTIATE_TEST_SUITE_P(AllCases, Bf16,
                         testing::Values("gpt2_tied", "gpt2_untied", "gpt2_wide", "llama", "neox",
                                         "qwen2", "reward"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace precis
