#include "bench/speed.hpp"

#include <fmt/format.h>

#include <numeric>

#include "base/clock.hpp"
#include "model/generator.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

std::vector<std::int32_t> some_tokens(std::int64_t first, std::int64_t count,
                                      std::int64_t vocabulary) {
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int32_t>((first + i) * 7919 % vocabulary));
  }
  return tokens;
}

double number(std::int64_t x) { return static_cast<double>(x); }

/// The parameters that a token is multiplied with in a forward pass; tables of which it takes a row
/// do not count.
struct MultipliedParameters {
  std::int64_t blocks = 0;
  std::int64_t head = 0;
};

MultipliedParameters multiplied_parameters(const Model& model) {
  MultipliedParameters out{.head = model.config.vocabulary * model.config.width};
  for (const ParameterSpec& spec : model.parameters.specs()) {
    if (!spec.name.starts_with("embedding/") && !spec.name.starts_with("head/")) {
      out.blocks += std::accumulate(spec.shard.global_shape.begin(), spec.shard.global_shape.end(),
                                    std::int64_t{1}, std::multiplies<>());
    }
  }
  return out;
}

}  // namespace

Measurement measure_training(const Timing& timing, Machine& machine, Model& model, RankGroup& world,
                             std::int64_t batch, std::int64_t length,
                             std::int64_t micro_batch_tokens) {
  const ModelConfig& c = model.config;
  std::vector<Example> examples;
  for (std::int64_t row = 0; row < batch; ++row) {
    examples.emplace_back(SummaryRow(), some_tokens(row, 1, c.vocabulary),
                          some_tokens(row + 1, length, c.vocabulary));
  }
  SftObjective objective(machine, model, world, examples, {}, SftLoss::response,
                         micro_batch_tokens);
  Pipeline pipeline({.device = machine.device,
                     .model = model,
                     .ranks = world,
                     .micro_batch_tokens = micro_batch_tokens});
  Optimizer optimizer(machine.device, model.parameters);
  const TrainOptions options;
  std::vector<std::int64_t> rows(examples.size());
  std::iota(rows.begin(), rows.end(), 0);
  const std::int64_t tokens = batch * length;
  const MultipliedParameters parameters = multiplied_parameters(model);
  const double flop_a_token = 6 * number(parameters.blocks + parameters.head) +
                              6 * number(c.layers) * number(c.query_width()) * number(length);
  return {.name = fmt::format("training {} x {}", batch, length),
          .work = {.flop = flop_a_token * number(tokens), .bytes = 0},
          .tokens = tokens,
          .seconds = timing.seconds([&] {
            optimizer.form_gradients(
                [&](std::int64_t, Parameters& gradients, const Pipeline::Complete& complete) {
                  (void)accumulate(pipeline, objective, rows, number(tokens), gradients, complete);
                });
            (void)optimizer.reduce(options.clip_norm);
            optimizer.apply(model.parameters, options, 1e-5);
          })};
}

std::vector<Measurement> measure_generation(const Timing& timing, const Model& model,
                                            std::int64_t sequences, std::int64_t prompt_tokens,
                                            std::int64_t new_tokens) {
  const ModelConfig& c = model.config;
  Device& device = timing.device();
  std::vector<Prompt> prompts;
  for (std::int64_t b = 0; b < sequences; ++b) {
    prompts.push_back({some_tokens(b, prompt_tokens, c.vocabulary), {b}});
  }
  // All prompts are taken in before the first step.
  const GenerationRule rule{.sampling = {.seed = 1},
                            .max_new_tokens = new_tokens,
                            .max_sequences = sequences,
                            .prefill_tokens = sequences * prompt_tokens};
  Generator generator(device, c, model.parameters);

  const MultipliedParameters parameters = multiplied_parameters(model);
  const double blocks = number(parameters.blocks);
  const double head = number(parameters.head);
  const double element = number(size_of(device.precision()));
  const double flop_a_pair = 4 * number(c.layers) * number(c.query_width());
  const double bytes_a_pair = 2 * element * number(c.layers) * number(c.kv_width());

  const double all = number(sequences);
  const double prompt = number(prompt_tokens);
  Measurement prompts_in{.name = fmt::format("prompts {} x {}", sequences, prompt_tokens),
                         .work = {.flop = 2 * all * (blocks * prompt + head) +
                                          flop_a_pair * all * prompt * (prompt + 1) / 2,
                                  .bytes = element * (blocks + head) + bytes_a_pair * all * prompt},
                         .tokens = sequences * prompt_tokens,
                         .seconds = {}};
  // Step s of them reads prompt + s keys a sequence.
  const double steps = number(new_tokens - 1);
  const double pairs = all * steps * (prompt + (steps + 1) / 2);
  Measurement decoding{.name = fmt::format("decoding {} x {}", sequences, new_tokens - 1),
                       .work = {.flop = 2 * all * steps * (blocks + head) + flop_a_pair * pairs,
                                .bytes = steps * element * (blocks + head) + bytes_a_pair * pairs},
                       .tokens = sequences * (new_tokens - 1),
                       .seconds = {}};

  // The first two make plans, memory and what the device records.
  for (std::int64_t repeat = -2; repeat < timing.repeats(); ++repeat) {
    timing.between();
    double until_first_token = 0;
    const Stopwatch watch;
    generator.run(
        model.parameters, prompts, rule, [](Generated&&) {},
        [&] {
          if (until_first_token == 0) {
            device.backend().synchronize(device.queue());
            until_first_token = watch.seconds();
          }
        });
    device.backend().synchronize(device.queue());
    if (repeat >= 0) {
      prompts_in.seconds.push_back(until_first_token);
      decoding.seconds.push_back(watch.seconds() - until_first_token);
    }
  }
  return {std::move(prompts_in), std::move(decoding)};
}

}  // namespace precis
