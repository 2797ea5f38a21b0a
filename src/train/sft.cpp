#include "train/sft.hpp"

#include "data/step_rows.hpp"

namespace precis {
namespace {

/// The paper's length of a summary (Stiennon 2020, appendix B).
constexpr std::int64_t shown_tokens = 48;

}  // namespace

SftObjective::SftObjective(Machine& machine, const Model& model, RankGroup& ranks,
                           const std::vector<Example>& train, const std::vector<Example>& valid,
                           SftLoss loss, std::int64_t micro_batch_tokens)
    : machine_(machine),
      model_(model),
      ranks_(ranks),
      loss_(loss),
      micro_batch_tokens_(micro_batch_tokens),
      train_(rows_of(train)),
      valid_(rows_of(valid)),
      sum_(machine.device.allocate({1}, DType::f64)),
      stage_(machine.device, model.config, model.parameters),
      head_(machine.device, model.parameters),
      evaluator_(machine.device, model.config, model.parameters, micro_batch_tokens,
                 [&ranks] { ranks.progress().tick("validation"); }),
      shown_(machine.device, model, valid.empty() ? train : valid, shown_tokens) {}

Sequence SftObjective::Text::sequence() const {
  const std::span<const std::int32_t> all(tokens);
  return {all.first(given), all.subspan(given)};
}

std::vector<SftObjective::Text> SftObjective::rows_of(const std::vector<Example>& examples) const {
  std::vector<Text> rows;
  for (const Example& example : examples) {
    Text row{example.query, loss_ == SftLoss::response ? example.query.size() : 1};
    row.tokens.insert(row.tokens.end(), example.response.begin(), example.response.end());
    rows.push_back(std::move(row));
  }
  return rows;
}

SupervisedTask SftObjective::task() {
  SupervisedTask task;
  task.rows = static_cast<std::int64_t>(train_.size());
  task.has_validation = !valid_.empty();
  task.weight = [this](std::span<const std::int64_t> rows) {
    std::int64_t count = 0;
    for (const std::int64_t row : rows) {
      const Text& of = train_[static_cast<std::size_t>(row)];
      count += static_cast<std::int64_t>(of.tokens.size() - of.given);
    }
    return static_cast<double>(count);
  };
  task.accumulate = [this](std::span<const std::int64_t> rows, double weight,
                           Parameters& gradients) { return accumulate(rows, weight, gradients); };
  task.validate = [this] { return validate(); };
  task.sample = [this](std::int64_t step) { return sample(step); };
  return task;
}

LossSums SftObjective::accumulate(std::span<const std::int64_t> rows, double weight,
                                  Parameters& gradients) {
  std::vector<Sequence> sequences;
  for (const std::int64_t row : rows) {
    sequences.push_back(train_[static_cast<std::size_t>(row)].sequence());
  }
  Device& device = machine_.device;
  device.backend().fill(device.queue(), sum_.view(), 0.0);
  LossSums out;
  for (const MicroBatch& micro : split_sequences(sequences, micro_batch_tokens_)) {
    ranks_.progress().tick("gradient");
    const auto part = std::span<const Sequence>(sequences).subspan(
        static_cast<std::size_t>(micro.begin), static_cast<std::size_t>(micro.end - micro.begin));
    const PackedBatch batch = pack_inputs(part);
    const TokenTargets targets = response_targets(part);
    const ConstView hidden = stage_.forward(model_.parameters, batch, 0);
    View dhidden = stage_.workspace(0).zeros(hidden.shape(), hidden.dtype());
    const auto loss_gradient = [&](View dlogprob, ConstView, std::int64_t, std::int64_t) {
      device.backend().fill(device.queue(), dlogprob, -1.0 / weight);
    };
    const ConstView logprob =
        head_.forward_backward(model_.parameters, gradients, stage_.workspace(0), hidden, targets,
                               1.0, loss_gradient, dhidden);
    device.backend().sum(device.queue(), sum_.view(), logprob, Write::accumulate);
    stage_.backward(model_.parameters, gradients, 0, dhidden);
    out.weight += static_cast<double>(targets.size());
    out.tokens += batch.size() + batch.sequences();
  }
  out.loss = -device.to_host<double>(sum_.view())[0];
  return out;
}

LossSums SftObjective::validate() {
  const auto [begin, end] =
      part_of(static_cast<std::int64_t>(valid_.size()), ranks_.rank(), ranks_.size());
  std::vector<Sequence> sequences;
  for (std::int64_t row = begin; row < end; ++row) {
    sequences.push_back(valid_[static_cast<std::size_t>(row)].sequence());
  }
  LossSums out;
  for (const auto& logprobs : evaluator_.statistics(model_.parameters, sequences, 1.0).logprobs) {
    for (const float logprob : logprobs) {
      out.loss -= static_cast<double>(logprob);
    }
    out.weight += static_cast<double>(logprobs.size());
  }
  return out;
}

std::vector<Row> SftObjective::sample(std::int64_t step) {
  if (ranks_.rank() != 0) {
    return {};
  }
  return shown_.rows(model_.parameters, step, [this] { ranks_.progress().tick("samples"); });
}

}  // namespace precis
