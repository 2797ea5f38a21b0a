#include "train/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/text.hpp"
#include "data/loader.hpp"
#include "data/packing.hpp"
#include "model/memory_fit.hpp"
#include "train/supervised.hpp"

namespace precis {
namespace {

constexpr std::int64_t number_bytes = 4;

/// Of the first step, on rank 0.
struct FirstStep {
  std::int64_t tokens = 0;
  std::int64_t largest = 0;  // tokens of its largest micro-batch
  std::size_t micro_batches = 0;
};

FirstStep first_step(const TrainingPlan& plan) {
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  const auto step = StepRows(rows, plan.train.batch, plan.seed).of(0);
  std::vector<std::int64_t> lengths;
  for (const std::int64_t row : rank_part(step, 0, plan.ranks)) {
    lengths.push_back(plan.lengths[static_cast<std::size_t>(row)]);
  }
  FirstStep result{.tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})};
  const auto micro_batches = split_micro_batches(lengths, plan.train.micro_batch_tokens);
  result.micro_batches = micro_batches.size();
  for (const MicroBatch& micro : micro_batches) {
    result.largest =
        std::max(result.largest, std::accumulate(lengths.begin() + micro.begin,
                                                 lengths.begin() + micro.end, std::int64_t{0}));
  }
  return result;
}

}  // namespace

std::string describe(const TrainingPlan& plan) {
  const ModelConfig& c = plan.config;
  const auto rows = static_cast<std::int64_t>(plan.lengths.size());
  const auto steps = total_steps(plan.train, rows);
  const auto all = std::accumulate(plan.lengths.begin(), plan.lengths.end(), std::int64_t{0});
  const FirstStep first = first_step(plan);
  const std::int64_t parameters = parameter_count(c);
  const std::int64_t copies = trained_copies + (plan.train.keep == KeepModel::best ? 1 : 0);
  const auto state = static_cast<std::uint64_t>(copies * parameters * number_bytes);
  const auto activations = static_cast<std::uint64_t>(
      training_bytes_a_token(c, plan.machine.device.precision()) * first.largest);

  std::string text = fmt::format("layout      {}\n", plan.machine.layout);
  text += fmt::format("model       {}, {} layers of width {}, {} parameters, context {} tokens\n",
                      to_string(c.kind), c.layers, c.width, with_thousands(parameters), c.context);
  text +=
      fmt::format("rows        {} for training with {} tokens, {} for validation\n",
                  with_thousands(rows), with_thousands(all), with_thousands(plan.validation_rows));
  text += fmt::format(
      "steps       {} of {} rows, {:.2f} epochs\n", with_thousands(steps),
      std::min(plan.train.batch, rows),
      static_cast<double>(steps) / static_cast<double>(steps_per_epoch(rows, plan.train.batch)));
  text +=
      fmt::format("first step  {} tokens in {} micro-batches on rank 0, the largest of {}\n",
                  with_thousands(first.tokens), first.micro_batches, with_thousands(first.largest));
  text += fmt::format("memory      about {} a rank: {} of weights and moments, {} of activations\n",
                      byte_size(state + activations), byte_size(state), byte_size(activations));
  return text;
}

}  // namespace precis
