#include "train/optimizer.hpp"

#include "kernels/exact_sum.hpp"
#include "model/model.hpp"

namespace precis {

Optimizer::Optimizer(Device& device, const Parameters& layout)
    : device_(&device),
      gradients_(device, gradient_specs(layout.specs()), MemoryUse::gradients),
      first_(device, layout.specs(), MemoryUse::optimizer_state),
      second_(device, layout.specs(), MemoryUse::optimizer_state),
      sum_of_squares_(device.allocate({exact_sum_words}, DType::i64)),
      rounded_sum_of_squares_(device.allocate({1}, DType::f64)),
      norm_(device.allocate({1}, DType::f64)),
      scale_(device.allocate({1})) {}

void Optimizer::zero_gradients() {
  device_->backend().fill(device_->queue(), gradients_.flat(), 0.0);
}

View Optimizer::joined_gradients() {
  const int rows = gradients_.find(embedded_rows_gradient);
  if (rows < 0) {
    return gradients_.flat();
  }
  device_->backend().add(device_->queue(), gradients_.at("embedding/token"), gradients_.at(rows));
  const View all = gradients_.flat();
  return all.rows(0, all.numel() - gradients_.flat_part(rows).numel());
}

double Optimizer::reduce(Communicator& data_parallel, double clip_norm) {
  const Backend& kernels = device_->backend();
  Queue& queue = device_->queue();
  const View gradients = joined_gradients();
  data_parallel.all_reduce(queue, gradients, Reduction::sum);
  kernels.sum_of_squares(queue, sum_of_squares_.view(), gradients, Write::overwrite);
  const ExactSum squares(device_->to_host<std::int64_t>(sum_of_squares_.view()));
  kernels.fill(queue, rounded_sum_of_squares_.view(), squares.value());
  kernels.clip_scale(queue, scale_.view(), norm_.view(), rounded_sum_of_squares_.view(), clip_norm);
  return device_->to_host<double>(norm_.view())[0];
}

void Optimizer::apply(Parameters& parameters, const TrainOptions& o, double rate) {
  ++updates_;
  AdamW settings{.rate = rate,
                 .beta1 = o.beta1,
                 .beta2 = o.beta2,
                 .epsilon = o.epsilon,
                 .decay = 0.0,
                 .update = updates_,
                 .epsilon_place = o.epsilon_placement};
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    const int index = static_cast<int>(i);
    settings.decay = parameters.specs()[i].is_matrix() ? o.weight_decay : 0.0;
    device_->backend().adamw_step(device_->queue(), parameters.at(index), first_.at(index),
                                  second_.at(index), gradients_.at(index), scale_.view(), settings);
  }
  parameters.changed();
}

void Optimizer::write(StateWriter& file, std::string_view part) const {
  write_tensors(file, part, first_moment_path, first_, *device_);
  write_tensors(file, part, second_moment_path, second_, *device_);
}

void Optimizer::read(const StateReader& file, std::string_view part, std::int64_t updates) {
  read_tensors(file, part, first_moment_path, first_, *device_);
  read_tensors(file, part, second_moment_path, second_, *device_);
  updates_ = updates;
}

}  // namespace precis
