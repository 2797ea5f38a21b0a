// A model cut into stages, and a backward pass cut in two, have the bits of the whole.
#include "model/stage.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/backends.hpp"
#include "model/evaluator.hpp"
#include "model/tiny.hpp"

namespace precis {
namespace {

class StageOn : public testing::TestWithParam<const Backend*> {
 protected:
  struct Result {
    std::vector<float> hidden;
    std::vector<float> gradients;
    std::vector<std::vector<float>> tensors;  // the same by parameter
    friend bool operator==(const Result&, const Result&) = default;
  };

  Device device{*GetParam()};
  const std::vector<Text> texts = ragged_texts(5, 61);
  PackedBatch batch = pack_whole(sequences_of(texts));

  [[nodiscard]] static std::vector<ModelConfig> configs() {
    return {tiny_config([](ModelConfig& c) { c.layers = 3; }), tiny_config([](ModelConfig& c) {
              c.layers = 3;
              c.kv_heads = 1;
              c.norm = NormKind::rms_norm;
              c.position = PositionKind::rotary;
              c.activation = ActivationKind::gated_silu;
              c.residual = ResidualKind::parallel;
            })};
  }

  /// Forward and backward through these stages, one after another, for a gradient of the hidden
  /// states that differs from number to number: of all rows, or of some, which the result has.
  [[nodiscard]] Result run(const Model& model, const std::vector<LayerRange>& ranges, bool split,
                           const std::vector<std::int32_t>& rows = {},
                           Recompute recompute = Recompute::none) {
    std::vector<Stage> stages;
    for (const LayerRange& range : ranges) {
      stages.emplace_back(device, model.config, model.parameters, range, nullptr,
                          Activations{.recompute = recompute});
    }
    Parameters gradients(device, model.parameters.specs());
    ConstView x;
    for (Stage& stage : stages) {
      x = stage.forward(model.parameters, batch, 0,
                        [&](View input) { device.backend().copy(device.queue(), input, x); });
    }
    Workspace workspace(device);
    const View positions = workspace.upload(rows);
    const bool all = rows.empty() || batch.read;
    View read = workspace.take({all ? x.extent(0) : std::ssize(rows), x.extent(1)});
    if (all) {
      device.backend().copy(device.queue(), read, x);
    } else {
      device.backend().gather_rows(device.queue(), read, x, positions);
    }
    Result result{.hidden = device.to_host<float>(read), .gradients = {}, .tensors = {}};
    std::vector<float> numbers(result.hidden.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = static_cast<float>(i % 13) - 6.0F;
    }
    ConstView dx = workspace.upload(numbers).reshaped(read.shape());
    if (!all) {
      View everywhere = workspace.zeros(x.shape());
      device.backend().scatter_add_rows(device.queue(), everywhere, dx, positions);
      dx = everywhere;
    }
    for (std::size_t s = stages.size(); s-- > 0;) {
      dx = split ? stages[s].input_gradient(model.parameters, gradients, 0, dx)
                 : stages[s].backward(model.parameters, gradients, 0, dx);
    }
    EXPECT_TRUE(dx.empty());
    for (std::size_t s = stages.size(); split && s-- > 0;) {
      stages[s].weight_gradient(model.parameters, gradients, 0);
    }
    result.gradients = device.to_host<float>(gradients.flat());
    for (std::size_t i = 0; i < gradients.specs().size(); ++i) {
      result.tensors.push_back(device.to_host<float>(gradients.at(static_cast<int>(i))));
    }
    return result;
  }
};

TEST_P(StageOn, AModelInPartsHasTheBitsOfTheWhole) {
  for (const ModelConfig& config : configs()) {
    const Model model = make_model(device, config, {}, 3);
    const Result whole = run(model, {{0, 3}}, false);
    EXPECT_THAT(whole.gradients, testing::Contains(testing::Gt(1e-3F)));
    EXPECT_EQ(run(model, {{0, 3}}, true), whole);
    for (const bool split : {false, true}) {
      EXPECT_EQ(run(model, {{0, 1}, {1, 3}}, split), whole);
      EXPECT_EQ(run(model, {{0, 1}, {1, 2}, {2, 3}}, split), whole);
    }
  }
}

/// Rows here and there, the last of a sequence and the first of all among them.
const std::vector<std::int32_t> some_rows{0, 1, 7, 8, 20, 21, 22, 40};

TEST_P(StageOn, WhatIsReadOfSomeRowsHasTheBitsOfAll) {
  for (const ModelConfig& config : configs()) {
    const Model model = make_model(device, config, {}, 3);
    const Result whole = run(model, {{0, 3}}, false, some_rows);
    batch.read = some_rows;
    const auto rows_are_exact = device.backend().rows_are_exact();
    for (const bool split : {false, true}) {
      const Result part = run(model, {{0, 1}, {1, 3}}, split, some_rows);
      if (rows_are_exact) {
        EXPECT_EQ(part.hidden, whole.hidden);
      }
      ASSERT_EQ(part.hidden.size(), whole.hidden.size());
      for (std::size_t i = 0; i < part.gradients.size(); ++i) {
        const float expected = whole.gradients[i];
        // Sums over fewer rows may be cut at other places.
        ASSERT_NEAR(part.gradients[i], expected, 1e-4F + 1e-5F * std::abs(expected)) << i;
      }
      // All that goes back through the last block.
      for (const char* name : {"embedding/token", "blocks/000/attention/query/weight",
                               "blocks/001/mlp/down/weight", "blocks/001/mlp_norm/weight"}) {
        const auto i = static_cast<std::size_t>(model.parameters.find(name));
        if (rows_are_exact) {
          EXPECT_EQ(part.tensors[i], whole.tensors[i]) << name;
        }
      }
    }
    Stage stage(device, config, model.parameters);
    Workspace workspace(device);
    const auto inferred = device.to_host<float>(stage.infer(model.parameters, workspace, batch));
    if (rows_are_exact) {
      EXPECT_EQ(inferred, whole.hidden);
    }
    batch.read.reset();
  }
}

TEST_P(StageOn, WhatIsComputedAgainHasTheSameBits) {
  batch.read = some_rows;
  for (const ModelConfig& config : configs()) {
    const Model model = make_model(device, config, {}, 3);
    const Result kept = run(model, {{0, 3}}, false, some_rows);
    for (const Recompute recompute : {Recompute::block, Recompute::full}) {
      EXPECT_EQ(run(model, {{0, 3}}, false, some_rows, recompute), kept);
      EXPECT_EQ(run(model, {{0, 1}, {1, 3}}, true, some_rows, recompute), kept);
    }
  }
}

TEST_P(StageOn, HoldsTheEndsOfTheModelByItsPlace) {
  const Model model = make_model(device, tiny_config(), {}, 3);
  const std::int64_t layers = model.config.layers;
  const Stage first(device, model.config, model.parameters, LayerRange{0, 1});
  const Stage last(device, model.config, model.parameters, LayerRange{1, layers});
  EXPECT_TRUE(first.has_embedding());
  EXPECT_FALSE(first.has_final_norm());
  EXPECT_FALSE(last.has_embedding());
  EXPECT_TRUE(last.has_final_norm());
}

INSTANTIATE_TEST_SUITE_P(AllBackends, StageOn, testing::ValuesIn(backends_under_test()),
                         [](const auto& of) { return of.param->name; });

}  // namespace
}  // namespace precis
