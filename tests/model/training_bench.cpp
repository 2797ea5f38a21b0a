// Seconds of a training step of the GPT-2 124M shape with random weights, phase by phase.
// Not a test: ninja training_bench && training_bench [threads] [steps]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/random.hpp"
#include "model/objective.hpp"
#include "train/optimizer.hpp"

namespace precis {
namespace {

/// A world of one rank.
class OneRank final : public Communicator {
 public:
  explicit OneRank(ProgressRecord& progress) : Communicator("bench", 0, 1, progress) {}
  void all_reduce(View, Reduction) override {}
  void broadcast(View, int) override {}
  void barrier() override {}
  void send(ConstView, int, int) override { fail("There is no other rank."); }
  void receive(View, int, int) override { fail("There is no other rank."); }
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run(int threads, int steps) {
  constexpr std::size_t sequences = 4;
  constexpr std::size_t tokens = 257;  // 256 predictions
  set_threads(threads);
  Device device = open_device("cpu");
  ModelConfig config;
  config.layers = 12;
  config.width = 768;
  config.heads = 12;
  config.vocabulary = 50257;
  complete(config);
  Model model = make_model(device, config, {}, 1);
  Objective objective(device, model);
  Optimizer optimizer(device, model.parameters);
  ProgressRecord progress;
  OneRank ranks(progress);

  std::vector<std::vector<std::int32_t>> texts(sequences, std::vector<std::int32_t>(tokens));
  std::vector<Sequence> batch;
  for (std::size_t i = 0; i < sequences; ++i) {
    RandomStream draws(1, Purpose::testing, i);
    for (std::int32_t& id : texts[i]) {
      id = static_cast<std::int32_t>(draws.below(50257));
    }
    batch.push_back({std::span<const std::int32_t>(texts[i]).first(1),
                     std::span<const std::int32_t>(texts[i]).subspan(1)});
  }

  std::vector<double> gradient_seconds;
  std::vector<double> update_seconds;
  for (int step = 0; step < steps; ++step) {
    const double begin = now();
    optimizer.begin();
    const double loss = objective.accumulate(batch, optimizer.gradients()).loss;
    const double middle = now();
    (void)optimizer.update(model.parameters, ranks, TrainOptions{}, 1e-4);
    const double end = now();
    fmt::print("step {}: loss {:.4f}, forward and backward {:.2f} s, update {:.2f} s\n", step + 1,
               loss, middle - begin, end - middle);
    gradient_seconds.push_back(middle - begin);
    update_seconds.push_back(end - middle);
  }
  const double gradient = median(gradient_seconds);
  const double update = median(update_seconds);
  const auto count = static_cast<double>(sequences * (tokens - 1));
  fmt::print(
      "{} threads, {}: medians: forward and backward {:.2f} s ({:.0f} tokens/s), update {:.2f} s, "
      "together {:.0f} tokens/s\n",
      threads, device.backend().describe(), gradient, count / gradient, update,
      count / (gradient + update));
}

}  // namespace
}  // namespace precis

int main(int argc, char** argv) {
  precis::run(argc > 1 ? std::atoi(argv[1]) : 2, argc > 2 ? std::atoi(argv[2]) : 5);
}
