// The feed-forward layer in inference: the numbers of training, without what only the backward pass
// reads.
#include "model/mlp.hpp"

#include <gtest/gtest.h>

#include "model/backends.hpp"
#include "model/tiny.hpp"

namespace precis {
namespace {

TEST(Mlp, InferenceKeepsNoInputOfGelu) {
  for (const ActivationKind activation :
       {ActivationKind::gelu_erf, ActivationKind::gelu_tanh, ActivationKind::gated_silu}) {
    Device device(cpu::backend);
    const Model model =
        make_model(device, tiny_config([&](ModelConfig& c) { c.activation = activation; }), {}, 1);
    const Mlp mlp = Mlp::find(model.parameters, model.config, "blocks/000/mlp");
    Workspace workspace(device);
    std::vector<float> numbers(5 * 24);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = static_cast<float>(i % 7) - 3.0F;
    }
    const ConstView x = workspace.upload(numbers).reshaped({5, 24});
    const auto run = [&](bool inference, Mlp::Saved& saved) {
      return device.to_host<float>(
          mlp.forward({device, model.parameters, workspace, inference}, {}, x, x, {}, saved));
    };
    Mlp::Saved training;
    Mlp::Saved inference;
    EXPECT_EQ(run(true, inference), run(false, training));
    EXPECT_FALSE(training.up.empty());
    EXPECT_EQ(inference.up.empty(), activation != ActivationKind::gated_silu);
  }
}

}  // namespace
}  // namespace precis
