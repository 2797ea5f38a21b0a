#include "train/optimizer.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "kernels/exact_sum.hpp"
#include "model/memory_fit.hpp"
#include "model/model.hpp"
#include "parallel/exact_sum.hpp"
#include "parallel/tree_sum.hpp"

namespace precis {

Optimizer::Optimizer(Device& device, const Parameters& layout, const Setup& setup)
    : device_(&device),
      parts_(setup.parts),
      copies_(setup.copies != nullptr && setup.copies->size() > 1 ? setup.copies : nullptr),
      zero_(setup.zero && copies_ != nullptr),
      gradients_(device, gradient_specs(layout.specs(), layout.parallel().place),
                 MemoryUse::gradients, layout.parallel()),
      first_(moments(device, layout)),
      second_(moments(device, layout)),
      sum_of_squares_(device.allocate({exact_sum_words}, DType::i64)),
      rounded_sum_of_squares_(device.allocate({1}, DType::f64)),
      norm_(device.allocate({1}, DType::f64)),
      scale_(device.allocate({1})) {
  for (std::int64_t half = parts_ / 2; half > 0; half /= 2) {
    later_halves_.emplace_back(device, gradients_.specs(), MemoryUse::gradients, layout.parallel());
  }
  for (const ParameterSpec& spec : first_.specs()) {
    const int tensor = layout.find(spec.name);
    const Shard& held = layout.specs()[static_cast<std::size_t>(tensor)].shard;
    const std::int64_t begin = spec.shard.offset.front() - held.offset.front();
    owned_.push_back({tensor, begin, begin + spec.shard.extent.front()});
  }
  if (!zero_) {
    buckets_ = {{.first = 0, .bounds = {0, joined(gradients_).numel()}}};
    return;
  }
  buckets_ = buckets_of(layout.specs(), copies_->size());
  std::int64_t most = 0;
  for (const Bucket& bucket : buckets_) {
    for (std::size_t rank = 0; rank + 1 < bucket.bounds.size(); ++rank) {
      most = std::max(most, bucket.bounds[rank + 1] - bucket.bounds[rank]);
    }
  }
  owner_sum_.emplace(device, *copies_, most);
}

Parameters Optimizer::moments(Device& device, const Parameters& layout) const {
  try {
    return {device,
            zero_ ? owned_specs(layout.specs(), copies_->rank(), copies_->size()) : layout.specs(),
            MemoryUse::optimizer_state, layout.parallel()};
  } catch (const OutOfMemory& error) {
    throw with_fitting_model(error, device, layout.specs(), zero_ ? 1.0 / copies_->size() : 1.0);
  }
}

void Optimizer::form_gradients(const AddPart& add_part) {
  open_buckets_ = buckets_.size();
  sum_parts(0, parts_, 0, gradients_, add_part);
  complete(0);
  if (owner_sum_) {
    owner_sum_->wait();
  }
}

void Optimizer::sum_parts(std::int64_t begin, std::int64_t end, std::size_t level, Parameters& into,
                          const AddPart& add_part) {
  const bool last = end == parts_;
  if (end - begin == 1) {
    device_->backend().fill(device_->queue(), into.flat(), 0.0);
    Pipeline::Complete completed;
    if (last && zero_) {
      completed = [this](int first) { complete(first); };
    }
    add_part(begin, into, completed);
    join(into);
    return;
  }
  const std::int64_t middle = begin + (end - begin) / 2;
  Parameters& later = later_halves_.at(level);
  sum_parts(begin, middle, level + 1, into, add_part);
  sum_parts(middle, end, level + 1, later, add_part);
  if (!last) {
    device_->backend().add(device_->queue(), joined(into), joined(later));
  }
}

void Optimizer::complete(int first) {
  while (open_buckets_ > 0 && buckets_[open_buckets_ - 1].first >= first) {
    const Bucket& bucket = buckets_[--open_buckets_];
    const auto part_of = [&](Parameters& gradients) {
      return gradients.flat().rows(bucket.bounds.front(), bucket.bounds.back());
    };
    // From the last part upwards: what `sum_parts` has left to add.
    for (std::size_t level = later_halves_.size(); level-- > 0;) {
      Parameters& into = level == 0 ? gradients_ : later_halves_[level - 1];
      device_->backend().add(device_->queue(), part_of(into), part_of(later_halves_[level]));
    }
    if (owner_sum_) {
      owner_sum_->start(gradients_.flat(), bucket.bounds);
    }
  }
  if (owner_sum_) {
    owner_sum_->test();
  }
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

double Optimizer::reduce(double clip_norm) {
  const Backend& kernels = device_->backend();
  Queue& queue = device_->queue();
  if (copies_ != nullptr && !zero_) {
    sum_in_tree(*device_, *copies_, joined(gradients_));
  }
  add_squares();
  std::array squares{ExactSum(device_->to_host<std::int64_t>(sum_of_squares_.view()))};
  for (Communicator* ranks :
       {zero_ ? copies_ : nullptr, gradients_.parallel().pipeline, gradients_.parallel().tensor}) {
    if (ranks != nullptr) {
      all_reduce(ranks->group(), squares);
    }
  }
  kernels.fill(queue, rounded_sum_of_squares_.view(), squares[0].value());
  kernels.clip_scale(queue, scale_.view(), norm_.view(), rounded_sum_of_squares_.view(), clip_norm);
  return device_->to_host<double>(norm_.view())[0];
}

void Optimizer::add_squares() {
  device_->backend().fill(device_->queue(), sum_of_squares_.view(), 0.0);
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    if (first_.specs()[i].shard.replica == 0) {
      const View rows = rows_of(gradients_, owned_[i]);
      device_->backend().sum_of_squares(device_->queue(), sum_of_squares_.view(),
                                        rows.reshaped({rows.numel()}), Write::accumulate);
    }
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
  std::size_t next = 0;  // of what this rank owns
  std::vector<StartedOperation> gathers;
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    const bool last = b + 1 == buckets_.size();
    for (; next < owned_.size() && (last || owned_[next].tensor < buckets_[b + 1].first); ++next) {
      const Owned& owned = owned_[next];
      const int moment = static_cast<int>(next);
      settings.decay = first_.specs()[next].is_matrix() ? o.weight_decay : 0.0;
      device_->backend().adamw_step(device_->queue(), rows_of(parameters, owned), first_.at(moment),
                                    second_.at(moment), rows_of(gradients_, owned), scale_.view(),
                                    settings);
    }
    if (zero_) {
      std::ranges::move(start_gather_from_owners(device_->queue(), *copies_, parameters.flat(),
                                                 buckets_[b].bounds),
                        std::back_inserter(gathers));
      for (StartedOperation& gather : gathers) {
        (void)gather.test();
      }
    }
  }
  if (zero_) {
    wait_for_gather(*copies_, gathers);
  }
  parameters.changed();
}

void Optimizer::write(ShardWriter& file, std::string_view part, const ModelConfig& config) const {
  const auto held = zero_ ? ShardWriter::Held::by_owners : ShardWriter::Held::by_copies;
  file.tensors(part, first_moment_path, config, first_, held);
  file.tensors(part, second_moment_path, config, second_, held);
}

void Optimizer::read(const StateReader& file, std::string_view part, std::int64_t updates) {
  read_tensors(file, part, first_moment_path, first_, *device_);
  read_tensors(file, part, second_moment_path, second_, *device_);
  updates_ = updates;
}

}  // namespace precis
