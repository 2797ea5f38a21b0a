#include "model/heads.hpp"

#include <algorithm>

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

}  // namespace

LanguageHead::LanguageHead(Device& device, const Parameters& layout) : device_(&device) {
  output_.weight = layout.find("head/weight");
  if (output_.weight < 0) {
    output_.weight = layout.find("embedding/token");
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
    c.kernels().log_softmax_forward(c.queue(), out.logprob.rows(begin, end), log_sum_exp,
                                    out.entropy.rows(begin, end), logit, ids.rows(begin, end),
                                    temperature);
    if (reference) {
      const ConstView other = reference->head.logits(reference->parameters, workspace,
                                                     reference->hidden.rows(begin, end));
      View other_log_sum_exp = workspace.take({end - begin});
      c.kernels().log_softmax_forward(c.queue(), out.reference_logprob.rows(begin, end),
                                      other_log_sum_exp, View{}, other, ids.rows(begin, end),
                                      temperature);
      c.kernels().kl_divergence(c.queue(), out.kl.rows(begin, end), logit, log_sum_exp, other,
                                other_log_sum_exp, temperature);
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
    c.kernels().log_softmax_forward(c.queue(), logprob.rows(begin, end), log_sum_exp, View{}, logit,
                                    ids.rows(begin, end), temperature);
    loss_gradient(dlogprob, logprob.rows(begin, end), begin, end);
    c.kernels().log_softmax_backward(c.queue(), logit, log_sum_exp, ids.rows(begin, end), dlogprob,
                                     temperature);
    const ConstView dlogit = rounded(c, logit, rows.dtype());
    output_.input_gradient(c, dhidden.rows(begin, end), dlogit, Write::overwrite);
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
  output_.input_gradient(c, dhidden, dcolumn, Write::overwrite);
  output_.weight_gradient(c, gradients, dcolumn, hidden);
  return dhidden;
}

}  // namespace precis
