// Gradients: against finite differences, and the same for every split into micro-batches.
#include <gtest/gtest.h>

#include <cmath>

#include "model/backends.hpp"
#include "model/sequence_loss.hpp"
#include "model/tiny.hpp"

namespace precis {
namespace {

ModelConfig rotary_config() {
  return tiny_config([](ModelConfig& config) {
    config.heads = 4;
    config.head_dim = 6;
    config.kv_heads = 2;
    config.norm = NormKind::rms_norm;
    config.position = PositionKind::rotary;
    config.rotary_fraction = 0.7;
    config.activation = ActivationKind::gated_silu;
    config.residual = ResidualKind::parallel;
    config.tied = false;
  });
}

ModelConfig reward_config() {
  return tiny_config([](ModelConfig& config) { config.kind = ModelKind::reward; });
}

class Gradient : public testing::TestWithParam<ModelConfig> {};

TEST_P(Gradient, AgreesWithFiniteDifferences) {
  Device device(reference::backend);
  Model model = make_model(device, GetParam(), {}, 3);
  const auto texts = ragged_texts(4, 61);
  const auto sequences = sequences_of(texts);
  SequenceLoss loss(device, model);
  Parameters gradients(device, model.parameters.specs());
  (void)loss.accumulate(sequences, gradients);

  Parameters unused(device, model.parameters.specs());
  const auto loss_with = [&](View tensor, std::size_t place, float value) {
    tensor.data<float>()[place] = value;
    model.parameters.changed();
    return loss.accumulate(sequences, unused).loss;
  };
  for (std::size_t i = 0; i < gradients.specs().size(); ++i) {
    View tensor = model.parameters.at(static_cast<int>(i));
    const View gradient = gradients.at(static_cast<int>(i));
    for (std::uint32_t draw = 0; draw < 2; ++draw) {
      RandomStream draws(11, Purpose::testing, 100 * i + draw);
      const auto place = draws.below(static_cast<std::uint32_t>(tensor.numel()));
      const float here = tensor.data<float>()[place];
      const float above = here + 0.01F;
      const float below = here - 0.01F;
      const double slope = (loss_with(tensor, place, above) - loss_with(tensor, place, below)) /
                           (static_cast<double>(above) - static_cast<double>(below));
      (void)loss_with(tensor, place, here);
      EXPECT_NEAR(gradient.data<float>()[place], slope, 2e-4 + 5e-3 * std::abs(slope))
          << gradients.specs()[i].name << "[" << place << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllConfigs, Gradient,
                         testing::Values(tiny_config(), rotary_config(), reward_config()));

class MicroBatches : public testing::TestWithParam<const Backend*> {};

TEST_P(MicroBatches, DoNotChangeTheGradient) {
  Device device(*GetParam());
  for (const ModelConfig& config : {tiny_config(), rotary_config(), reward_config()}) {
    const Model model = make_model(device, config, {}, 3);
    const auto texts = ragged_texts(12, 61);
    SequenceLoss loss(device, model);
    Parameters whole(device, model.parameters.specs());
    const auto expected = loss.accumulate(sequences_of(texts), whole);
    const auto expected_gradient = device.to_host<float>(whole.flat());
    for (const std::int64_t parts : {2, 3, 6}) {
      Parameters split(device, model.parameters.specs());
      const auto found = loss.accumulate(sequences_of(texts), split, parts);
      EXPECT_NEAR(found.loss, expected.loss, 1e-9);
      if (device.backend().rows_are_exact()) {
        EXPECT_EQ(found.read, expected.read);
      }
      const auto gradient = device.to_host<float>(split.flat());
      double distance = 0;
      double norm = 0;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const auto wanted = static_cast<double>(expected_gradient[i]);
        distance += std::pow(static_cast<double>(gradient[i]) - wanted, 2);
        norm += wanted * wanted;
      }
      EXPECT_LE(std::sqrt(distance), 1e-6 * std::sqrt(norm)) << parts << " micro-batches";
    }
  }
}

TEST_P(MicroBatches, KeepTheirActivationsInTheirSlots) {
  Device device(*GetParam());
  const Model model = make_model(device, tiny_config(), {}, 3);
  const auto texts = ragged_texts(6, 61);
  const auto sequences = sequences_of(texts);
  const auto halves = {std::span(sequences).first(2), std::span(sequences).subspan(2)};
  // The gradient of the sum of the hidden states, one micro-batch after the other or interleaved.
  const auto gradient = [&](bool interleaved) {
    Stage stage(device, model.config, model.parameters);
    Parameters gradients(device, model.parameters.specs());
    std::vector<View> dhidden;
    int slot = 0;
    for (const auto half : halves) {
      const ConstView hidden = stage.forward(model.parameters, pack_inputs(half), slot);
      dhidden.push_back(stage.workspace(slot).take(hidden.shape()));
      device.backend().fill(device.queue(), dhidden.back(), 1.0);
      if (!interleaved) {
        stage.backward(model.parameters, gradients, slot, dhidden.back());
      }
      ++slot;
    }
    for (int of = 0; interleaved && of < slot; ++of) {
      stage.backward(model.parameters, gradients, of, dhidden[static_cast<std::size_t>(of)]);
    }
    return device.to_host<float>(gradients.flat());
  };
  EXPECT_EQ(gradient(true), gradient(false));
}

INSTANTIATE_TEST_SUITE_P(AllBackends, MicroBatches, testing::ValuesIn(backends_under_test()),
                         [](const auto& of) { return of.param->name; });

}  // namespace
}  // namespace precis
