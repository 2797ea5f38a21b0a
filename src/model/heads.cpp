#include "model/heads.hpp"

#include <algorithm>

#include "kernels/sum_parts.hpp"

namespace precis {
namespace {

/// Elements of the logits that are worked on at once: enough rows for an efficient product, few
/// enough to stay small beside the weights. A chunk reads and writes the whole weight gradient, so
/// a device that the host feeds from afar, with bandwidth to fill, gets larger ones.
constexpr std::int64_t chunk_numbers = std::int64_t{1} << 23;
constexpr std::int64_t chunk_numbers_ahead = std::int64_t{1} << 26;

/// The gradient of f32 results, in the precision that their layer works in.
ConstView rounded(const LayerContext& c, ConstView gradient, DType precision) {
  if (gradient.dtype() == precision) {
    return gradient;
  }
  View out = c.workspace.take(gradient.shape(), precision);
  c.kernels().copy(c.queue(), out, gradient);
  return out;
}

/// Memory for partial results of all ranks that share the vocabulary, and this rank's part of it;
/// each has as many parts.
struct Partials {
  View all;
  View mine;
};

/// (parts of all ranks, rows, ...).
Partials take_partials(const LayerContext& c, std::int64_t parts,
                       std::initializer_list<std::int64_t> rest) {
  const int ranks = c.tensor() == nullptr ? 1 : c.tensor()->size();
  const int rank = c.tensor() == nullptr ? 0 : c.tensor()->rank();
  Shape shape{parts * ranks};
  for (const std::int64_t extent : rest) {
    shape.append(extent);
  }
  const View all = c.workspace.take(shape, DType::f64);
  return {.all = all, .mine = all.rows(rank * parts, (rank + 1) * parts)};
}

void gather_partials(const LayerContext& c, const Partials& partials) {
  if (c.tensor() != nullptr) {
    c.tensor()->all_gather(c.queue(), partials.all, partials.mine);
  }
}

}  // namespace

LanguageHead::LanguageHead(Device& device, const Parameters& layout) : device_(&device) {
  output_.weight = layout.find("head/weight");
  if (output_.weight < 0) {
    output_.weight = layout.find("embedding/token");
  }
  if (output_.weight >= 0) {
    const ModelPlace& place = layout.parallel().place;
    const std::int64_t vocabulary =
        layout.specs()[static_cast<std::size_t>(output_.weight)].shard.global_shape[0];
    const IndexShare share =
        index_share(vocabulary, place.tensor_rank, place.tensor_ranks, place.tensor_parts);
    first_token_ = share.range.begin;
    vocabulary_bounds_ = share.parts;
    whole_ = index_share(vocabulary, 0, 1, place.tensor_parts);
    for (int rank = 0; rank < place.tensor_ranks; ++rank) {
      shares_.push_back(
          index_share(vocabulary, rank, place.tensor_ranks, place.tensor_parts).range);
    }
  }
}

std::int64_t LanguageHead::chunk_rows(const Parameters& parameters) const {
  const std::int64_t numbers = device_->backend().runs_ahead ? chunk_numbers_ahead : chunk_numbers;
  return std::clamp(numbers / parameters.at(output_.weight).extent(0), std::int64_t{16},
                    std::int64_t{1024});
}

View LanguageHead::logits(const Parameters& parameters, Workspace& workspace,
                          ConstView hidden) const {
  return output_.forward_as(DType::f32, {*device_, parameters, workspace}, hidden);
}

void LanguageHead::log_softmax(const LayerContext& c, View logprob, View log_sum_exp, View entropy,
                               ConstView logits, ConstView targets, double temperature) const {
  const WorkspaceScope scope(c.workspace);
  const Partials partials = take_partials(c, part_count(vocabulary_bounds_), {logits.extent(0), 4});
  c.kernels().log_softmax_parts(c.queue(), partials.mine, logits, targets, first_token_,
                                temperature, vocabulary_bounds_, !entropy.empty());
  gather_partials(c, partials);
  c.kernels().log_softmax_join(c.queue(), logprob, log_sum_exp, entropy, partials.all);
}

void LanguageHead::kl_divergence(const LayerContext& c, View kl, ConstView logits,
                                 ConstView log_sum_exp, ConstView reference_logits,
                                 ConstView reference_log_sum_exp, double temperature) const {
  const WorkspaceScope scope(c.workspace);
  const Partials partials = take_partials(c, part_count(vocabulary_bounds_), {logits.extent(0)});
  c.kernels().kl_parts(c.queue(), partials.mine, logits, log_sum_exp, reference_logits,
                       reference_log_sum_exp, temperature, vocabulary_bounds_);
  gather_partials(c, partials);
  c.kernels().kl_join(c.queue(), kl, partials.all);
}

View LanguageHead::gathered_logits(const LayerContext& c, ConstView logits) const {
  const std::int64_t rows = logits.extent(0);
  std::int64_t widest = 0;
  for (const IndexRange& share : shares_) {
    widest = std::max(widest, share.size());
  }
  const auto ranks = std::ssize(shares_);
  View all = c.workspace.take({ranks * rows, widest});
  View out = c.workspace.take({rows, whole_.range.size()});
  View mine = all.rows(c.tensor_rank() * rows, (c.tensor_rank() + 1) * rows);
  for (std::int64_t b = 0; b < rows; ++b) {
    c.kernels().copy(c.queue(), mine.row(b).rows(0, logits.extent(1)), logits.row(b));
  }
  c.tensor()->all_gather(c.queue(), all, mine);
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const auto [begin, end] = shares_[static_cast<std::size_t>(rank)];
    for (std::int64_t b = 0; b < rows; ++b) {
      c.kernels().copy(c.queue(), out.row(b).rows(begin, end),
                       all.row(rank * rows + b).rows(0, end - begin));
    }
  }
  return out;
}

void LanguageHead::sample(const Parameters& parameters, Workspace& workspace, ConstView hidden,
                          ConstView episodes, ConstView positions, const SamplingRule& rule,
                          View tokens, View logprob) const {
  const LayerContext c{*device_, parameters, workspace};
  const ConstView logit = logits(parameters, workspace, hidden);  // (B,V), or a share of it
  const bool is_greedy = rule.temperature == 0.0;
  const bool is_filtered = !is_greedy && (rule.top_k > 0 || rule.top_p < 1.0);
  if (c.tensor() == nullptr || is_filtered) {
    const ConstView whole = c.tensor() == nullptr ? logit : gathered_logits(c, logit);
    c.kernels().sample(c.queue(), tokens, logprob, whole, episodes, positions, rule, whole_.parts);
    return;
  }
  SamplingRule without_filters = rule;
  without_filters.top_k = 0;
  without_filters.top_p = 1.0;
  const std::int64_t rows = hidden.extent(0);
  const auto ranks = std::ssize(shares_);
  const View all = workspace.take({ranks, rows, 2}, DType::f64);
  const View mine = all.rows(c.tensor_rank(), c.tensor_rank() + 1);
  c.kernels().sample_part(c.queue(), mine.reshaped({rows, 2}), logit, first_token_, episodes,
                          positions, without_filters);
  c.tensor()->all_gather(c.queue(), all, mine);
  c.kernels().sample_join(c.queue(), tokens, all);
  log_softmax(c, logprob, workspace.take({rows}), View{}, logit, tokens,
              is_greedy ? 1.0 : rule.temperature);
}

LanguageHead::Statistics LanguageHead::statistics(const Parameters& parameters,
                                                  Workspace& workspace, ConstView hidden,
                                                  std::span<const std::int32_t> targets,
                                                  double temperature,
                                                  std::optional<Reference> reference) const {
  const LayerContext c{*device_, parameters, workspace};
  const std::int64_t count = std::ssize(targets);
  Statistics out{.logprob = workspace.take({count}),
                 .entropy = workspace.take({count}),
                 .kl = reference ? workspace.take({count}) : View{},
                 .reference_logprob = reference ? workspace.take({count}) : View{}};
  const View ids = workspace.upload(targets);
  const std::int64_t chunk = chunk_rows(parameters);
  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    const std::int64_t end = std::min(begin + chunk, count);
    const WorkspaceScope scope(workspace);
    const ConstView rows = hidden.rows(begin, end);
    const ConstView logit = logits(parameters, workspace, rows);  // (chunk,V)
    View log_sum_exp = workspace.take({end - begin});
    log_softmax(c, out.logprob.rows(begin, end), log_sum_exp, out.entropy.rows(begin, end), logit,
                ids.rows(begin, end), temperature);
    if (reference) {
      const ConstView other = reference->head.logits(reference->parameters, workspace,
                                                     reference->hidden.rows(begin, end));
      View other_log_sum_exp = workspace.take({end - begin});
      reference->head.log_softmax(c, out.reference_logprob.rows(begin, end), other_log_sum_exp,
                                  View{}, other, ids.rows(begin, end), temperature);
      kl_divergence(c, out.kl.rows(begin, end), logit, log_sum_exp, other, other_log_sum_exp,
                    temperature);
    }
  }
  return out;
}

LanguageHead::Loss LanguageHead::forward_backward(const Parameters& parameters,
                                                  Parameters& gradients, Workspace& workspace,
                                                  ConstView hidden,
                                                  std::span<const std::int32_t> targets,
                                                  double temperature,
                                                  const LossGradient& loss_gradient) const {
  const LayerContext c{*device_, parameters, workspace};
  const std::int64_t count = std::ssize(targets);
  View logprob = workspace.take({count});
  View dhidden = workspace.take(hidden.shape(), hidden.dtype());
  const View ids = workspace.upload(targets);
  const std::int64_t chunk = chunk_rows(parameters);
  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    const std::int64_t end = std::min(begin + chunk, count);
    const WorkspaceScope scope(workspace);
    const ConstView rows = hidden.rows(begin, end);
    View logit = logits(parameters, workspace, rows);  // (chunk,V), then its gradient
    View log_sum_exp = workspace.take({end - begin});
    View dlogprob = workspace.take({end - begin});
    log_softmax(c, logprob.rows(begin, end), log_sum_exp, View{}, logit, ids.rows(begin, end),
                temperature);
    loss_gradient(dlogprob, logprob.rows(begin, end), begin, end);
    c.kernels().log_softmax_backward(c.queue(), logit, log_sum_exp, ids.rows(begin, end), dlogprob,
                                     first_token_, temperature);
    const ConstView dlogit = rounded(c, logit, rows.dtype());
    summed_input_gradient_of(c, dhidden.rows(begin, end), {{output_, dlogit, vocabulary_bounds_}});
    output_.weight_gradient(c, gradients, dlogit, rows);
  }
  return {.logprob = logprob, .dhidden = dhidden};
}

ScalarHead::ScalarHead(Device& device, const Parameters& layout, double shift)
    : device_(&device), output_(Linear::find(layout, "head")), shift_(shift) {}

View ScalarHead::forward(const Parameters& parameters, Workspace& workspace,
                         ConstView hidden) const {
  const LayerContext c{*device_, parameters, workspace};
  const std::int64_t count = hidden.extent(0);
  View minus_shift = workspace.take({count, 1});
  c.kernels().fill(c.queue(), minus_shift, -shift_);
  return output_.forward_as(DType::f32, c, hidden, minus_shift).reshaped({count});
}

View ScalarHead::backward(const Parameters& parameters, Parameters& gradients, Workspace& workspace,
                          ConstView hidden, ConstView dout) const {
  const LayerContext c{*device_, parameters, workspace};
  const ConstView dcolumn = rounded(c, dout.reshaped({dout.extent(0), 1}), hidden.dtype());
  View dhidden = workspace.take(hidden.shape(), hidden.dtype());
  input_gradient_of(c, dhidden, {{output_, dcolumn}});
  output_.weight_gradient(c, gradients, dcolumn, hidden);
  return dhidden;
}

}  // namespace precis
