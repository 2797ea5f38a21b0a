#include "model/memory_fit.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "device/counting_device.hpp"
#include "kernels/kernels.hpp"
#include "model/evaluator.hpp"

namespace precis {
namespace {

/// So many tokens are counted that memory which does not grow with them does not matter.
constexpr std::int64_t counted_tokens = 8192;

/// A batch of them, as prompts of one token and long responses.
class CountedTexts {
 public:
  explicit CountedTexts(const ModelConfig& config)
      : tokens_(static_cast<std::size_t>(std::min<std::int64_t>(config.context, 512)), 0) {
    const std::span<const std::int32_t> all(tokens_);
    const auto length = std::ssize(tokens_);
    sequences_.assign(static_cast<std::size_t>((counted_tokens + length - 1) / length),
                      {.prompt = all.first(1), .response = all.subspan(1)});
  }
  [[nodiscard]] std::span<const Sequence> sequences() const { return sequences_; }
  [[nodiscard]] std::int64_t size() const { return std::ssize(sequences_) * std::ssize(tokens_); }

 private:
  std::vector<std::int32_t> tokens_;
  std::vector<Sequence> sequences_;
};

/// What grows with the tokens.
std::int64_t working_memory(const Device& device) {
  const MemoryCount& held = device.memory().held();
  return held.of(MemoryUse::activations) + held.of(MemoryUse::scratch);
}

}  // namespace

std::int64_t training_bytes_a_token(const ModelConfig& config, const Device& like,
                                    const Activations& activations) {
  Device device = counting_device(like);
  const Parameters parameters(device, parameter_specs(config));
  Parameters gradients(device, parameters.specs(), MemoryUse::gradients);
  const CountedTexts texts(config);
  Stage stage(device, config, parameters, nullptr, activations);
  const ConstView hidden = stage.forward(parameters, pack_whole(texts.sequences()), 0);
  stage.backward(parameters, gradients, 0,
                 stage.workspace(0).zeros(hidden.shape(), hidden.dtype()));
  return std::max<std::int64_t>(1, working_memory(device) / texts.size());
}

std::int64_t inference_bytes_a_token(const ModelConfig& config, const Device& like) {
  Device device = counting_device(like);
  const Parameters parameters(device, parameter_specs(config));
  const CountedTexts texts(config);
  Evaluator evaluator(device, config, parameters, texts.size());
  if (config.kind == ModelKind::language) {
    (void)evaluator.statistics(parameters, texts.sequences(), 1.0);
  } else {
    (void)evaluator.rewards(parameters, texts.sequences());
  }
  return std::max<std::int64_t>(1, working_memory(device) / texts.size());
}

OutOfMemory with_fitting_tokens(const OutOfMemory& error, const Device& device,
                                std::int64_t own_bytes, std::int64_t bytes_a_token) {
  const std::int64_t room = device.memory().space().free + own_bytes;
  return error.with(
      fmt::format("About {} tokens at a time would fit.", with_thousands(room / bytes_a_token)));
}

OutOfMemory with_fitting_sequences(const OutOfMemory& error, const Device& device,
                                   const ModelConfig& config, const ModelPlace& place,
                                   std::int64_t sequences, std::int64_t blocks_a_sequence) {
  Device counting = counting_device(device);
  const KvCache block(counting, config, 1, place);
  const std::int64_t block_bytes = counting.memory().held().of(MemoryUse::key_value_cache);
  return error.with(fmt::format(
      "{} sequences of up to {} tokens were to be generated at a time; about {} would fit.",
      with_thousands(sequences), with_thousands(blocks_a_sequence * attention_block),
      with_thousands(device.memory().space().free / (blocks_a_sequence * block_bytes))));
}

OutOfMemory with_fitting_model(const OutOfMemory& error, const Device& device,
                               const std::vector<ParameterSpec>& specs, double moments) {
  // It may be gradients that did not fit.
  std::vector<ParameterSpec> of_model = specs;
  std::erase_if(of_model,
                [](const ParameterSpec& spec) { return spec.name == embedded_rows_gradient; });
  Device counting = counting_device(device);
  const Parameters parameters(counting, of_model);
  const auto pack_for = [&](PackFor purpose) {
    for (std::size_t i = 0; i < of_model.size(); ++i) {
      if (of_model[i].is_matrix()) {
        (void)parameters.packed(static_cast<int>(i), purpose);
      }
    }
    return static_cast<double>(counting.memory().held().total());
  };
  const double inference = pack_for(PackFor::forward);
  const Parameters gradients(counting, gradient_specs(of_model, {}), MemoryUse::gradients);
  // Each of the two moments is as large as the parameters, if it is whole.
  const double training = pack_for(PackFor::input_gradient) +
                          2.0 * moments * static_cast<double>(parameters.flat().size_bytes());
  const double count = static_cast<double>(parameters.flat().numel());
  const auto fitting = [&](double bytes) {
    return with_thousands(static_cast<std::int64_t>(
        count / bytes * static_cast<double>(device.memory().space().total)));
  };
  return error.with(fmt::format(
      "The model has {} parameters; this device has room for about {} in training and "
      "{} otherwise, all models together.",
      with_thousands(static_cast<std::int64_t>(count)), fitting(training), fitting(inference)));
}

}  // namespace precis
