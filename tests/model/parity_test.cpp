// Log-probs, gradients and training steps against PyTorch (tests/golden/model).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "model/backends.hpp"
#include "model/golden.hpp"
#include "model/sequence_loss.hpp"
#include "train/optimizer.hpp"

namespace precis {
namespace {

double norm_of(const std::vector<float>& x) {
  double sum = 0;
  for (const float value : x) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(sum);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

class Parity : public testing::TestWithParam<std::tuple<const Backend*, const char*>> {
 protected:
  Device device{*std::get<0>(GetParam())};
  GoldenCase of = read_case(std::get<1>(GetParam()));
  Model model = make_golden_model(device, of);
};

TEST_P(Parity, ReadsTheSameNumbersAndGradients) {
  Parameters gradients(device, model.parameters.specs());
  const auto result = SequenceLoss(device, model).accumulate(of.sequences(), gradients);
  EXPECT_NEAR(result.loss, of.losses[0], 1e-5);
  ASSERT_EQ(result.read.size(), of.read.size());
  double largest_gap = 0;
  for (std::size_t i = 0; i < of.read.size(); ++i) {
    EXPECT_NEAR(result.read[i], of.read[i], 1e-4) << "token " << i;
    largest_gap = std::max(largest_gap, std::abs(static_cast<double>(result.read[i]) -
                                                 static_cast<double>(of.read[i])));
  }
  RecordProperty("largest_gap", std::to_string(largest_gap));

  double all = 0;
  for (const auto& [name, gradient] : of.gradients) {
    all += std::pow(norm_of(gradient), 2);
  }
  all = std::sqrt(all);
  const auto ours = by_case_names(of, gradients, device);
  ASSERT_EQ(ours.size(), of.gradients.size());
  for (const auto& [name, gradient] : of.gradients) {
    ASSERT_TRUE(ours.count(name)) << name;
    ASSERT_EQ(ours.at(name).size(), gradient.size()) << name;
    EXPECT_LE(distance(ours.at(name), gradient), 1e-4 * std::max(norm_of(gradient), 1e-3 * all))
        << name << ", norm " << norm_of(gradient) << " of " << all;
  }
}

TEST_P(Parity, ThreeStepsOfAdamW) {
  TrainOptions options;
  options.weight_decay = of.json.at("weight_decay");
  options.clip_norm = of.json.at("clip_norm");
  Optimizer optimizer(device, model.parameters);
  SequenceLoss objective(device, model);
  for (std::size_t step = 0; step < of.losses.size(); ++step) {
    double loss = 0;
    optimizer.form_gradients([&](std::int64_t, Parameters& gradients, const auto& /*complete*/) {
      loss = objective.accumulate(of.sequences(), gradients).loss;
    });
    EXPECT_NEAR(loss, of.losses[step], 1e-5) << "after " << step << " updates";
    EXPECT_GT(optimizer.reduce(options.clip_norm), options.clip_norm) << "clipping is not tried";
    optimizer.apply(model.parameters, options, of.json.at("learning_rate"));
  }
}

INSTANTIATE_TEST_SUITE_P(AllCases, Parity,
                         testing::Combine(testing::ValuesIn(backends_under_test()),
                                          testing::Values("gpt2_tied", "gpt2_untied", "gpt2_wide",
                                                          "llama", "neox", "qwen2", "reward")),
                         [](const auto& of) {
                           return std::string(std::get<0>(of.param)->name) + "_" +
                                  std::get<1>(of.param);
                         });

}  // namespace
}  // namespace precis
