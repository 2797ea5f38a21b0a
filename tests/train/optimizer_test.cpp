#include "train/optimizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/backends.hpp"
#include "model/model.hpp"
#include "model/tiny.hpp"

namespace precis {
namespace {

class OptimizerTest : public testing::TestWithParam<const Backend*> {
 protected:
  Device device{*GetParam()};
  Model model = make_model(device, tiny_config(), {}, 3);
  Optimizer optimizer{device, model.parameters};

  /// Every other gradient is zero.
  void set_gradient(const std::string& name, double value) {
    optimizer.form_gradients([&](std::int64_t, Parameters& gradients, const auto& /*complete*/) {
      device.backend().fill(device.queue(), gradients.at(name), value);
    });
  }
  std::vector<float> values(const std::string& name) {
    return device.to_host<float>(model.parameters.at(name));
  }
};

TEST_P(OptimizerTest, DecaysMatricesOnly) {
  const TrainOptions options{.weight_decay = 0.5, .clip_norm = 0};
  const std::string matrix = "blocks/000/mlp/up/weight";
  const std::string norm = "blocks/000/mlp_norm/weight";
  const auto before = values(matrix);
  optimizer.form_gradients([](std::int64_t, Parameters&, const auto& /*complete*/) {});
  EXPECT_EQ(optimizer.reduce(options.clip_norm), 0);
  optimizer.apply(model.parameters, options, 0.1);
  const auto after = values(matrix);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(after[i], before[i] * (1 - 0.1 * 0.5), 1e-7);
  }
  for (const float weight : values(norm)) {
    EXPECT_EQ(weight, 1.0F);
  }
}

TEST_P(OptimizerTest, TheFirstUpdateIsTheRateAgainstTheGradientsSign) {
  const TrainOptions options{.clip_norm = 1};
  const std::string bias = "final_norm/bias";
  set_gradient(bias, -3);
  EXPECT_NEAR(optimizer.reduce(options.clip_norm), 3 * std::sqrt(24.0), 1e-5);
  optimizer.apply(model.parameters, options, 0.01);
  for (const float value : values(bias)) {
    EXPECT_NEAR(value, 0.01, 1e-8);
  }
  EXPECT_EQ(optimizer.updates(), 1);
}

TEST_P(OptimizerTest, ClippingScalesTheGradient) {
  // Adam's step does not depend on the gradient's scale but for epsilon, which is large here.
  const std::string bias = "final_norm/bias";
  const TrainOptions options{.beta1 = 0, .beta2 = 0, .epsilon = 1, .clip_norm = 1};
  set_gradient(bias, 2);
  (void)optimizer.reduce(options.clip_norm);
  optimizer.apply(model.parameters, options, 1);
  const double clipped = 2 / (2 * std::sqrt(24.0) + 1e-6);
  for (const float value : values(bias)) {
    EXPECT_NEAR(value, -clipped / (clipped + 1), 1e-6);
  }
}

TEST_P(OptimizerTest, TheNormIsKnownBeforeAnythingChanges) {
  const std::string bias = "final_norm/bias";
  set_gradient(bias, std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(std::isnan(optimizer.reduce(1)));
  EXPECT_EQ(optimizer.updates(), 0);
  for (const float value : values(bias)) {
    EXPECT_EQ(value, 0.0F);
  }
}

TEST_P(OptimizerTest, PartsAreAddedInATreeWithBothGradientsOfATiedEmbedding) {
  Optimizer of_parts(device, model.parameters, {.parts = 4});
  const auto head = [](std::int64_t part) { return 1.0F / static_cast<float>(3 + part); };
  const auto rows = [](std::int64_t part) { return 1e5F / static_cast<float>(7 + part); };
  std::vector<std::int64_t> order;
  of_parts.form_gradients([&](std::int64_t part, Parameters& gradients, const auto& /*complete*/) {
    order.push_back(part);
    const int token = gradients.find("embedding/token");
    const int embedded = gradients.find(embedded_rows_gradient);
    ASSERT_GE(embedded, 0);
    for (const auto& [index, value] :
         {std::pair(token, head(part)), std::pair(embedded, rows(part))}) {
      const auto held = device.to_host<float>(gradients.at(index));
      EXPECT_THAT(held, testing::Each(0.0F)) << "a part begins with zeros";
      device.backend().fill(device.queue(), gradients.at(index), value);
    }
  });
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3));
  (void)of_parts.reduce(0);
  const auto part = [&](std::int64_t i) { return head(i) + rows(i); };
  const float expected = (part(0) + part(1)) + (part(2) + part(3));
  EXPECT_THAT(device.to_host<float>(of_parts.gradients().at("embedding/token")),
              testing::Each(expected));
}

INSTANTIATE_TEST_SUITE_P(Backends, OptimizerTest, testing::ValuesIn(backends_under_test()),
                         [](const auto& backend) { return backend.param->name; });

}  // namespace
}  // namespace precis
