#include "train/sft.hpp"

#include "data/step_rows.hpp"

namespace precis {
namespace {

/// The paper's length of a summary (Stiennon 2020, appendix B).
constexpr std::int64_t shown_tokens = 48;

}  // namespace

SftObjective::SftObjective(Machine& machine, const Model& model, RankGroup& ranks,
                           std::span<const Example> train, std::span<const Example> valid,
                           SftLoss loss, std::int64_t micro_batch_tokens)
    : SupervisedObjective({.rows = std::ssize(train),
                           .has_accuracy = false,
                           .has_validation = !valid.empty(),
                           .has_samples = true}),
      machine_(machine),
      model_(model),
      ranks_(ranks),
      train_(train),
      valid_(valid),
      loss_(loss),
      sum_(machine.device.allocate({exact_sum_words}, DType::i64)),
      head_(machine.device, model.parameters),
      evaluator_(machine.device, model.config, model.parameters, micro_batch_tokens,
                 [&ranks] { ranks.progress().tick("validation"); }) {
  if (ranks.rank() == 0) {
    shown_.emplace(std::make_shared<Generator>(machine.device, model.config, model.parameters),
                   model, valid.empty() ? train : valid, shown_tokens);
  }
}

Sequence SftObjective::sequence(const Example& example) const {
  const auto tokens = example.tokens();
  const std::size_t given = loss_ == SftLoss::response ? example.query().size() : 1;
  return {tokens.first(given), tokens.subspan(given)};
}

double SftObjective::weight(std::span<const std::int64_t> rows) const {
  std::size_t count = 0;
  for (const std::int64_t row : rows) {
    count += sequence(train_[static_cast<std::size_t>(row)]).response.size();
  }
  return static_cast<double>(count);
}

void SftObjective::begin(std::span<const std::int64_t> rows, double weight) {
  step_.clear();
  for (const std::int64_t row : rows) {
    step_.push_back(sequence(train_[static_cast<std::size_t>(row)]));
  }
  step_weight_ = weight;
  machine_.device.backend().fill(machine_.device.queue(), sum_.view(), 0.0);
}

std::vector<std::int64_t> SftObjective::lengths() const { return lengths_of(step_); }

std::span<const Sequence> SftObjective::sequences(const MicroBatch& rows) const {
  return rows.of(std::span<const Sequence>(step_));
}

PackedBatch SftObjective::pack(const MicroBatch& rows) const {
  return pack_for_responses(sequences(rows));
}

View SftObjective::forward_backward(const MicroBatch& rows, ConstView hidden, Workspace& workspace,
                                    Parameters& gradients) {
  Device& device = machine_.device;
  const auto loss_gradient = [&](View dlogprob, ConstView, std::int64_t, std::int64_t) {
    device.backend().fill(device.queue(), dlogprob, -1.0 / step_weight_);
  };
  const auto loss =
      head_.forward_backward(model_.parameters, gradients, workspace, hidden,
                             response_targets(sequences(rows)).targets, 1.0, loss_gradient);
  device.backend().sum(device.queue(), sum_.view(), loss.logprob, Write::accumulate);
  return loss.dhidden;
}

LossSums SftObjective::sums() {
  LossSums out;
  for (const Sequence& sequence : step_) {
    out.weight += static_cast<double>(sequence.response.size());
    out.tokens += sequence.size();
  }
  out.loss = ExactSum(machine_.device.to_host<std::int64_t>(sum_.view())).negated();
  return out;
}

LossSums SftObjective::validate() {
  const auto [begin, end] =
      part_of(static_cast<std::int64_t>(valid_.size()), ranks_.rank(), ranks_.size());
  std::vector<Sequence> sequences;
  for (std::int64_t row = begin; row < end; ++row) {
    sequences.push_back(sequence(valid_[static_cast<std::size_t>(row)]));
  }
  LossSums out;
  for (const auto& logprobs : evaluator_.statistics(model_.parameters, sequences, 1.0).logprobs) {
    out.loss.add(logprobs);
    out.weight += static_cast<double>(logprobs.size());
  }
  out.loss = out.loss.negated();
  return out;
}

std::vector<Row> SftObjective::sample(std::int64_t step) {
  if (!shown_) {
    return {};
  }
  return shown_->rows(model_.parameters, step, [this] { ranks_.progress().tick("samples"); });
}

}  // namespace precis
