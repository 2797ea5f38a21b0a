#include "train/optimizer.hpp"

#include <array>

#include "kernels/exact_sum.hpp"
#include "model/model.hpp"
#include "parallel/exact_sum.hpp"
#include "parallel/tree_sum.hpp"

namespace precis {

Optimizer::Optimizer(Device& device, const Parameters& layout, std::int64_t parts)
    : device_(&device),
      parts_(parts),
      gradients_(device, gradient_specs(layout.specs(), layout.parallel().place),
                 MemoryUse::gradients, layout.parallel()),
      first_(device, layout.specs(), MemoryUse::optimizer_state, layout.parallel()),
      second_(device, layout.specs(), MemoryUse::optimizer_state, layout.parallel()),
      sum_of_squares_(device.allocate({exact_sum_words}, DType::i64)),
      rounded_sum_of_squares_(device.allocate({1}, DType::f64)),
      norm_(device.allocate({1}, DType::f64)),
      scale_(device.allocate({1})) {
  for (std::int64_t half = parts / 2; half > 0; half /= 2) {
    later_halves_.emplace_back(device, gradients_.specs(), MemoryUse::gradients, layout.parallel());
  }
}

void Optimizer::form_gradients(const AddPart& add_part) {
  sum_parts(0, parts_, 0, gradients_, add_part);
}

void Optimizer::sum_parts(std::int64_t begin, std::int64_t end, std::size_t level, Parameters& into,
                          const AddPart& add_part) {
  if (end - begin == 1) {
    device_->backend().fill(device_->queue(), into.flat(), 0.0);
    add_part(begin, into);
    join(into);
    return;
  }
  const std::int64_t middle = begin + (end - begin) / 2;
  Parameters& later = later_halves_.at(level);
  sum_parts(begin, middle, level + 1, into, add_part);
  sum_parts(middle, end, level + 1, later, add_part);
  device_->backend().add(device_->queue(), joined(into), joined(later));
}

void Optimizer::join(Parameters& gradients) {
  if (const int rows = gradients.find(embedded_rows_gradient); rows >= 0) {
    exchange_shared(gradients, rows);
    device_->backend().add(device_->queue(), gradients.at("embedding/token"), gradients.at(rows));
  }
}

void Optimizer::exchange_shared(Parameters& gradients, int rows) {
  const ModelParallel& parallel = gradients.parallel();
  if (!parallel.place.shares_embedding) {
    return;
  }
  constexpr int tag = 3;
  const View of_head = gradients.at("embedding/token");
  const View of_rows = gradients.at(rows);
  const bool first = parallel.place.is_first_stage();
  const int other = first ? parallel.place.stages - 1 : 0;
  auto coming =
      parallel.pipeline->start_receive(device_->queue(), first ? of_head : of_rows, other, tag);
  parallel.pipeline->start_send(device_->queue(), first ? of_rows : of_head, other, tag).wait();
  coming.wait();
}

View Optimizer::joined(Parameters& gradients) {
  const View all = gradients.flat();
  const int rows = gradients.find(embedded_rows_gradient);
  return rows < 0 ? all : all.rows(0, all.numel() - gradients.flat_parts(rows, rows + 1).numel());
}

double Optimizer::reduce(Communicator& data_parallel, double clip_norm) {
  const Backend& kernels = device_->backend();
  Queue& queue = device_->queue();
  const View gradients = joined(gradients_);
  sum_in_tree(*device_, data_parallel, gradients);
  add_squares();
  std::array squares{ExactSum(device_->to_host<std::int64_t>(sum_of_squares_.view()))};
  for (Communicator* ranks : {gradients_.parallel().pipeline, gradients_.parallel().tensor}) {
    if (ranks != nullptr) {
      all_reduce(ranks->group(), squares);
    }
  }
  kernels.fill(queue, rounded_sum_of_squares_.view(), squares[0].value());
  kernels.clip_scale(queue, scale_.view(), norm_.view(), rounded_sum_of_squares_.view(), clip_norm);
  return device_->to_host<double>(norm_.view())[0];
}

void Optimizer::add_squares() {
  const Backend& kernels = device_->backend();
  kernels.fill(device_->queue(), sum_of_squares_.view(), 0.0);
  const auto& specs = gradients_.specs();
  const auto counts = [&](std::size_t i) {
    return specs[i].shard.replica == 0 && specs[i].name != embedded_rows_gradient;
  };
  // Neighbours in one call.
  for (std::size_t begin = 0; begin < specs.size();) {
    std::size_t end = begin;
    while (end < specs.size() && counts(end)) {
      ++end;
    }
    if (end > begin) {
      kernels.sum_of_squares(device_->queue(), sum_of_squares_.view(),
                             gradients_.flat_parts(static_cast<int>(begin), static_cast<int>(end)),
                             Write::accumulate);
    }
    begin = end + 1;
  }
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

void Optimizer::write(ShardWriter& file, std::string_view part, const ModelConfig& config) const {
  file.tensors(part, first_moment_path, config, first_);
  file.tensors(part, second_moment_path, config, second_);
}

void Optimizer::read(const StateReader& file, std::string_view part, std::int64_t updates) {
  read_tensors(file, part, first_moment_path, first_, *device_);
  read_tensors(file, part, second_moment_path, second_, *device_);
  updates_ = updates;
}

}  // namespace precis
