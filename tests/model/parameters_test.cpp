#include "model/parameters.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "model/backends.hpp"
#include "model/model.hpp"
#include "model/tiny.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

struct Moments {
  double mean = 0;
  double deviation = 0;
};

Moments moments_of(const std::vector<float>& x) {
  double sum = 0;
  double squares = 0;
  for (const float value : x) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const auto n = static_cast<double>(x.size());
  return {sum / n, std::sqrt(squares / n - sum * sum / (n * n))};
}

TEST(Parameters, HaveTheNamesOfTheModelFile) {
  std::vector<std::string> names;
  for (const ParameterSpec& spec : parameter_specs(tiny_config([](ModelConfig& c) {
         c.layers = 1;
         c.norm = NormKind::rms_norm;
         c.position = PositionKind::rotary;
         c.activation = ActivationKind::gated_silu;
         c.attention_bias = AttentionBias::query_key_value;
         c.mlp_bias = false;
         c.tied = false;
       }))) {
    names.push_back(spec.name);
  }
  EXPECT_THAT(names, testing::ElementsAre(
                         "embedding/token", "blocks/000/attention_norm/weight",
                         "blocks/000/attention/query/weight", "blocks/000/attention/query/bias",
                         "blocks/000/attention/key/weight", "blocks/000/attention/key/bias",
                         "blocks/000/attention/value/weight", "blocks/000/attention/value/bias",
                         "blocks/000/attention/output/weight", "blocks/000/mlp_norm/weight",
                         "blocks/000/mlp/gate/weight", "blocks/000/mlp/up/weight",
                         "blocks/000/mlp/down/weight", "final_norm/weight", "head/weight"));
}

TEST(Parameters, BeginWithTheDeviationsOfTheirInitialization) {
  Device device(cpu::backend);
  const auto deviation = [&](const ModelConfig& config, const char* name) {
    const Model model = make_model(device, config, {}, 1);
    const Moments found = moments_of(device.to_host<float>(model.parameters.at(name)));
    EXPECT_NEAR(found.mean, 0, 5 * found.deviation / std::sqrt(4000.0)) << name;
    return found.deviation;
  };
  const auto wide = [](ModelConfig& c) {
    c.width = 120;
    c.init = Initialization::gpt2;
  };
  const ModelConfig gpt2 = tiny_config(wide);
  EXPECT_NEAR(deviation(gpt2, "embedding/token"), 0.02, 0.001);
  EXPECT_NEAR(deviation(gpt2, "blocks/001/mlp/up/weight"), 0.02, 0.0005);
  EXPECT_NEAR(deviation(gpt2, "blocks/001/mlp/down/weight"), 0.01, 0.0005);
  ModelConfig scaled = gpt2;
  scaled.init = Initialization::scaled;
  EXPECT_NEAR(deviation(scaled, "embedding/token"), 0.08, 0.004);
  EXPECT_NEAR(deviation(scaled, "blocks/000/attention/query/weight"), 1 / std::sqrt(120.0), 0.003);
  EXPECT_NEAR(deviation(scaled, "blocks/000/attention/output/weight"), 0.5 / std::sqrt(120.0),
              0.002);
  ModelConfig reward = tiny_config([](ModelConfig& c) {
    c.width = 3999;
    c.layers = 1;
    c.mlp_width = 1;
    c.kind = ModelKind::reward;
  });
  EXPECT_NEAR(deviation(reward, "head/weight"), 1 / std::sqrt(4000.0), 0.001);

  const Model model = make_model(device, gpt2, {}, 1);
  for (const float one : device.to_host<float>(model.parameters.at("final_norm/weight"))) {
    ASSERT_EQ(one, 1.0F);
  }
  for (const float zero : device.to_host<float>(model.parameters.at("blocks/000/mlp/up/bias"))) {
    ASSERT_EQ(zero, 0.0F);
  }
}

TEST(Parameters, AreAFunctionOfSeedNameAndIndex) {
  Device device(cpu::backend);
  const auto tensor = [&](const ModelConfig& config, std::uint64_t seed, const char* name) {
    return device.to_host<float>(make_model(device, config, {}, seed).parameters.at(name));
  };
  const ModelConfig config = tiny_config();
  const char* name = "blocks/000/mlp/up/weight";
  const auto expected = tensor(config, 1, name);
  EXPECT_EQ(tensor(config, 1, name), expected);
  EXPECT_NE(tensor(config, 2, name), expected);
  EXPECT_NE(tensor(config, 1, "blocks/001/mlp/up/weight"), expected);
  // Neither other tensors nor the backend matter.
  EXPECT_EQ(tensor(tiny_config([](ModelConfig& c) {
                     c.vocabulary = 97;
                     c.position = PositionKind::rotary;
                     c.tied = false;
                   }),
                   1, name),
            expected);
  Device other(reference::backend);
  EXPECT_EQ(other.to_host<float>(make_model(other, config, {}, 1).parameters.at(name)), expected);
}

TEST(Parameters, HaveOnePackForBothProductsWhereTheBackendDoes) {
  for (const Backend* backend : {&cpu::backend, &reference::backend}) {
    Device device(*backend);
    const Model model = make_model(device, tiny_config(), {}, 1);
    const int index = model.parameters.find("blocks/000/mlp/up/weight");
    const Pack& forward = model.parameters.packed(index, PackFor::forward);
    const Pack& backward = model.parameters.packed(index, PackFor::input_gradient);
    EXPECT_EQ(&forward == &backward, backend->one_pack);
  }
}

TEST(Parameters, KeepTheirPacksUntilTheyChange) {
  Device device(cpu::backend);
  Model model = make_model(device, tiny_config(), {}, 1);
  Parameters& parameters = model.parameters;
  const int index = parameters.find("blocks/000/mlp/up/weight");
  const auto product = [&] {
    std::vector<float> x(24, 1.0F);
    Tensor y = device.zeros({1, 96});
    Tensor in = device.zeros({1, 24});
    device.backend().copy_to_device(device.queue(), in.view(), view_of(x.data(), {1, 24}));
    device.backend().linear_forward(device.queue(), y.view(), in.view(),
                                    parameters.packed(index, PackFor::forward), {}, {}, {});
    return device.to_host<float>(y.view());
  };
  const auto before = product();
  device.backend().fill(device.queue(), parameters.at(index), 0.0);
  parameters.changed();
  EXPECT_NE(product(), before);
  EXPECT_EQ(product(), std::vector<float>(96, 0.0F));
}

TEST(Parameters, LieInOneBufferWithoutOverlap) {
  Device device(cpu::backend);
  Parameters parameters(device, parameter_specs(tiny_config()));
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    View tensor = parameters.at(static_cast<int>(i));
    for (const float value : device.to_host<float>(tensor)) {
      ASSERT_EQ(value, 0.0F) << parameters.specs()[i].name;
    }
    device.backend().fill(device.queue(), tensor, 1.0);
    EXPECT_EQ(parameters.flat_parts(static_cast<int>(i), static_cast<int>(i) + 1).bytes(),
              tensor.bytes());
  }
  double sum = 0;
  for (const float value : device.to_host<float>(parameters.flat())) {
    sum += static_cast<double>(value);
  }
  EXPECT_EQ(sum, static_cast<double>(parameter_count(tiny_config())));
  EXPECT_EQ(parameters.find("head/weight"), -1);
  EXPECT_THAT(message_of<Error>([&] { (void)parameters.at("head/weight"); }),
              testing::HasSubstr("no tensor `head/weight`"));
}

}  // namespace
}  // namespace precis
