// A counting device counts what the backend takes that it stands for.
#include <gtest/gtest.h>

#include "device/counting_device.hpp"
#include "model/backends.hpp"
#include "model/evaluator.hpp"
#include "model/tiny.hpp"

namespace precis {
namespace {

/// Training and inference of a small model: what was held when it was the most.
MemoryCount peak_on(Device& device) {
  const ModelConfig config = tiny_config();
  const Parameters parameters(device, parameter_specs(config));
  Parameters gradients(device, parameters.specs(), MemoryUse::gradients);
  const auto texts = ragged_texts(7, 61);
  const auto sequences = sequences_of(texts);
  Stage stage(device, config, parameters);
  const LanguageHead head(device, parameters);
  const ConstView hidden = stage.forward(parameters, pack_for_responses(sequences), 0);
  const auto loss = head.forward_backward(
      parameters, gradients, stage.workspace(0), hidden, response_targets(sequences).targets, 1.0,
      [&](View dlogprob, ConstView, std::int64_t, std::int64_t) {
        device.backend().fill(device.queue(), dlogprob, -1.0);
      });
  stage.backward(parameters, gradients, 0, loss.dhidden);
  Evaluator evaluator(device, config, parameters, 100);
  (void)evaluator.statistics(parameters, sequences, 1.0);
  return device.memory().peak();
}

class CountedMemoryOn : public testing::TestWithParam<const Backend*> {};

TEST_P(CountedMemoryOn, IsWhatIsTaken) {
  for (const DType precision : {DType::f32, DType::bf16}) {
    if (precision == DType::bf16 && !GetParam()->one_pack) {
      continue;
    }
    Device device(*GetParam(), precision);
    Device counting = counting_device(device);
    const MemoryCount taken = peak_on(device);
    const MemoryCount counted = peak_on(counting);
    for (const MemoryUse use : {MemoryUse::parameters, MemoryUse::packed_weights,
                                MemoryUse::gradients, MemoryUse::activations}) {
      EXPECT_EQ(counted.of(use), taken.of(use)) << "use " << static_cast<int>(use);
    }
    const auto scratch = static_cast<double>(taken.of(MemoryUse::scratch));
    EXPECT_NEAR(static_cast<double>(counted.of(MemoryUse::scratch)), scratch, 0.1 * scratch);
    EXPECT_EQ(counting.memory().held().total(),
              counting.memory().held().of(MemoryUse::scratch));  // All else was given back.
  }
}

/// The reference keeps its packs in memory of its own.
std::vector<const Backend*> backends_with_packs() {
  auto backends = backends_under_test();
  std::erase(backends, &reference::backend);
  return backends;
}

INSTANTIATE_TEST_SUITE_P(Backends, CountedMemoryOn, testing::ValuesIn(backends_with_packs()),
                         [](const auto& of) { return of.param->name; });

}  // namespace
}  // namespace precis
