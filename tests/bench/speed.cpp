// Speed of training and of decoding, with random weights of the GPT-2 124M shape (or a smaller
// one).
//
//   speed_bench train REPEATS           seconds of each training step of 4 x 256 tokens
//   speed_bench decode BATCH REPEATS    seconds of each run of 32 decode steps after prompts of 64
//   tokens
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "model/evaluator.hpp"
#include "model/model.hpp"
#include "parallel/mpi_session.hpp"
#include "train/optimizer.hpp"

namespace precis {
namespace {

constexpr std::int64_t sequences = 4;
constexpr std::int64_t length = 256;
constexpr std::int64_t prompt_tokens = 64;
constexpr std::int64_t decode_steps = 32;

ModelConfig gpt2_small() {
  ModelConfig config;
  config.layers = 12;
  config.width = 768;
  config.heads = 12;
  config.context = 1024;
  config.vocabulary = 50257;
  config.end_tokens = {50256};
  complete(config);
  return config;
}

std::vector<std::int32_t> some_tokens(std::int64_t count, std::int64_t vocabulary) {
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int32_t>(i * 7919 % vocabulary));
  }
  return tokens;
}

void train(Device& device, Model& model, MpiSession& mpi, int repeats) {
  Stage stage(device, model.config, model.parameters);
  const LanguageHead head(device, model.parameters);
  Optimizer optimizer(device, model.parameters);
  const TrainOptions options;
  const auto tokens = some_tokens(sequences * (length + 1), model.config.vocabulary);
  std::vector<Sequence> batch;
  for (std::int64_t b = 0; b < sequences; ++b) {
    const auto all =
        std::span(tokens).subspan(static_cast<std::size_t>(b * (length + 1)), length + 1);
    batch.push_back({all.first(1), all.subspan(1)});
  }
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    const Stopwatch watch;
    optimizer.zero_gradients();
    const TokenTargets targets = response_targets(batch);
    const ConstView hidden = stage.forward(model.parameters, pack_inputs(batch), 0);
    View dhidden = stage.workspace(0).zeros(hidden.shape());
    const auto loss = [&](View dlogprob, ConstView, std::int64_t, std::int64_t) {
      device.backend().fill(device.queue(), dlogprob, -1.0 / static_cast<double>(targets.size()));
    };
    (void)head.forward_backward(model.parameters, optimizer.gradients(), stage.workspace(0), hidden,
                                targets, 1.0, loss, dhidden);
    stage.backward(model.parameters, optimizer.gradients(), 0, dhidden);
    (void)optimizer.reduce(mpi.world(), options.clip_norm);
    optimizer.apply(model.parameters, options, 1e-5);
    if (repeat > 0) {
      fmt::print("{:.6f}\n", watch.seconds());
    }
  }
}

void decode(Device& device, Model& model, std::int64_t batch, int repeats) {
  const Stage stage(device, model.config, model.parameters);
  const LanguageHead head(device, model.parameters);
  Workspace workspace(device);
  const auto prompt = some_tokens(prompt_tokens, model.config.vocabulary);
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    KvCache cache(device, model.config,
                  batch * (KvCache::blocks_for(prompt_tokens + decode_steps) + 1));
    PackedBatch prompts;
    std::vector<int> numbers;
    for (std::int64_t b = 0; b < batch; ++b) {
      prompts.append(prompt);
      numbers.push_back(cache.create());
    }
    workspace.reset();
    (void)stage.prefill(model.parameters, workspace, prompts, cache, numbers);
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(batch), 11);
    std::vector<std::int64_t> episodes(tokens.size());
    for (std::size_t b = 0; b < episodes.size(); ++b) {
      episodes[b] = static_cast<std::int64_t>(b);
    }
    const Stopwatch watch;
    for (std::int32_t step = 0; step < decode_steps; ++step) {
      workspace.reset();
      const ConstView hidden = stage.decode(model.parameters, workspace, tokens, cache, numbers);
      const ConstView logits = head.logits(model.parameters, workspace, hidden);
      View drawn = workspace.take({batch}, DType::i32);
      View logprob = workspace.take({batch});
      const std::vector<std::int32_t> positions(tokens.size(), step);
      device.backend().sample(device.queue(), drawn, logprob, logits, workspace.upload(episodes),
                              workspace.upload(positions), SamplingRule{.seed = 1});
      tokens = device.to_host<std::int32_t>(drawn);
    }
    if (repeat > 0) {
      fmt::print("{:.6f}\n", watch.seconds());
    }
  }
}

void run(const std::vector<std::string>& words) {
  require(words.size() >= 2, "usage: speed_bench train REPEATS | decode BATCH REPEATS");
  MpiSession mpi;
  Device device = open_device("cpu");
  Model model = make_model(device, gpt2_small(), {}, 1);
  if (words[0] == "train") {
    train(device, model, mpi, std::stoi(words[1]));
  } else {
    decode(device, model, std::stoi(words[1]), std::stoi(words.at(2)));
  }
}

}  // namespace
}  // namespace precis

int main(int argc, char** argv) {
  try {
    precis::run({argv + 1, argv + argc});
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return EXIT_FAILURE;
  }
}
