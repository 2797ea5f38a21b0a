#include "rlhf/weight_sync.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "model/weight_digest.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/waiting.hpp"

namespace precis {
namespace {

/// Numbers in a message, so that what is packed stays small beside a model.
constexpr std::int64_t most_numbers = std::int64_t{1} << 20;
/// Messages on their way between two ranks in one direction: the next while one is written.
constexpr std::size_t most_open = 2;
constexpr int weights_tag = 13;

/// The elements of `box` in a tensor that is the shard `held`, if they lie end to end in it.
bool is_contiguous(const Shard& box, const Shard& held) {
  return std::equal(box.extent.begin() + (box.extent.empty() ? 0 : 1), box.extent.end(),
                    held.extent.begin() + (held.extent.empty() ? 0 : 1));
}

/// visit(elements, count) for the runs of `box` that lie end to end in `tensor`, the shard `held`
/// of a vector or matrix, in order.
template <class Visit>
void for_each_run(View tensor, const Shard& held, const Shard& box, const Visit& visit) {
  const View flat = tensor.reshaped({tensor.numel()});
  if (is_contiguous(box, held)) {
    const std::int64_t row = held.extent.empty() ? 1 : held.numel() / held.extent[0];
    const std::int64_t first = held.extent.empty() ? 0 : (box.offset[0] - held.offset[0]) * row;
    visit(flat.rows(first, first + box.numel()));
    return;
  }
  const std::int64_t width = held.extent[1];
  const std::int64_t column = box.offset[1] - held.offset[1];
  for (std::int64_t row = 0; row < box.extent[0]; ++row) {
    const std::int64_t first = (box.offset[0] - held.offset[0] + row) * width + column;
    visit(flat.rows(first, first + box.extent[1]));
  }
}

const Shard& shard_of(const Parameters& parameters, const std::string& name) {
  return parameters.specs()[static_cast<std::size_t>(parameters.find(name))].shard;
}

/// The tensor of a move, as something that copies write to: it only does where weights arrive.
View tensor_of(const Parameters& parameters, const std::string& name) {
  const ConstView tensor = parameters.at(name);
  return {const_cast<std::byte*>(tensor.bytes()), tensor.dtype(), tensor.shape()};
}

std::vector<RankBoxes> boxes_of(const auto& holders) {
  std::vector<RankBoxes> all;
  for (const auto& holder : holders) {
    RankBoxes& boxes = all.emplace_back(RankBoxes{.rank = holder.rank, .boxes = {}});
    for (const ParameterSpec& spec : holder.specs) {
      boxes.boxes.push_back({spec.name, spec.shard});
    }
  }
  return all;
}

}  // namespace

std::vector<WeightSync::Holder> WeightSync::holders(const Setup& s, const RoleRanks& role,
                                                    const std::string& name,
                                                    const std::string& cut) const {
  ModelRanks ranks;
  ranks.stages = role.grid.pp;
  ranks.tensor_ranks = role.grid.tp;
  ranks.cut = cut;
  std::vector<Holder> all;
  for (std::size_t i = 0; i < role.ranks.size(); ++i) {
    const GridCoordinates at = coordinates_of(static_cast<int>(i), role.grid);
    const auto place = std::ranges::find(world_ranks_, role.ranks[i]);
    all.push_back({.name = fmt::format("{} rank {}", name, role.ranks[i]),
                   .rank = static_cast<int>(place - world_ranks_.begin()),
                   .copy = at.dp,
                   .specs = parameter_specs(s.policy, ranks.place_of(s.policy, at.pp, at.tp))});
  }
  return all;
}

WeightSync::WeightSync(const Setup& s) {
  for (int rank = 0; rank < s.world.size(); ++rank) {
    if (s.layout.learner.contains(rank) || s.layout.rollout.contains(rank)) {
      world_ranks_.push_back(rank);
    }
  }
  const bool member = std::ranges::binary_search(world_ranks_, s.world.rank());
  group_ = s.world.split(member ? 0 : -1, s.world.rank(), "weight sync");
  if (!group_) {
    return;
  }
  data_ = std::make_unique<MpiCommunicator>(*group_);
  learner_ = holders(s, s.layout.learner, "learner", s.learner_cut);
  if (s.shared) {
    return;
  }
  rollout_ = holders(s, s.layout.rollout, "rollout", "");
  for (Holder& holder : rollout_) {
    holder.copy += s.layout.learner.grid.dp;
  }
  moves_ = plan_moves(boxes_of(learner_), boxes_of(rollout_), most_numbers);
  for (int peer = 0; peer < group_->size(); ++peer) {
    add_way(peer, true);
    add_way(peer, false);
  }
}

void WeightSync::add_way(int peer, bool gives) {
  const int me = group_->rank();
  Way way{.peer = peer, .gives = gives, .buckets = {}, .next = 0, .open = {}};
  for (const Move& move : moves_) {
    const bool mine =
        gives ? move.from == me && move.to == peer : move.from == peer && move.to == me;
    if (!mine || move.from == move.to) {
      continue;
    }
    if (way.buckets.empty() || way.buckets.back().numbers + move.box.numel() > most_numbers) {
      way.buckets.emplace_back();
    }
    way.buckets.back().moves.push_back(&move);
    way.buckets.back().numbers += move.box.numel();
  }
  if (!way.buckets.empty()) {
    for (const Bucket& bucket : way.buckets) {
      (gives ? bytes_sent_ : bytes_received_) += bucket.numbers * size_of(DType::f32);
    }
    ways_.push_back(std::move(way));
  }
}

void WeightSync::start(Device& device, const Parameters* from, Parameters* to) {
  if (!group_ || rollout_.empty()) {
    return;
  }
  device_ = &device;
  from_ = from;
  to_ = to;
  for (Way& way : ways_) {
    way.next = 0;
  }
  (void)poll();
  for (const Move& move : moves_) {
    if (move.from == group_->rank() && move.to == group_->rank()) {
      copy_within_rank(move);
    }
  }
}

void WeightSync::copy_within_rank(const Move& move) const {
  const Shard& held = shard_of(*from_, move.name);
  const Shard& needed = shard_of(*to_, move.name);
  const auto copy_box = [&](const Shard& box) {
    View run;
    for_each_run(tensor_of(*from_, move.name), held, box, [&](View part) { run = part; });
    for_each_run(tensor_of(*to_, move.name), needed, box,
                 [&](View part) { device_->backend().copy(device_->queue(), part, run); });
  };
  if (is_contiguous(move.box, held) && is_contiguous(move.box, needed)) {
    copy_box(move.box);
    return;
  }
  Shard row = move.box;
  row.extent[0] = 1;
  for (; row.offset[0] < move.box.offset[0] + move.box.extent[0]; ++row.offset[0]) {
    copy_box(row);
  }
}

void WeightSync::copy(const Move& move, View packed, bool to_packed) const {
  const Parameters& parameters = to_packed ? *from_ : *to_;
  std::int64_t place = 0;
  for_each_run(
      tensor_of(parameters, move.name), shard_of(parameters, move.name), move.box, [&](View run) {
        const View part = packed.rows(place, place + run.numel());
        device_->backend().copy(device_->queue(), to_packed ? part : run, to_packed ? run : part);
        place += run.numel();
      });
}

void WeightSync::begin(Way& way, const Bucket& bucket) {
  const Parameters& parameters = way.gives ? *from_ : *to_;
  const Move& first = *bucket.moves.front();
  const Shard& held = shard_of(parameters, first.name);
  Tensor packed;
  View message;
  if (bucket.moves.size() == 1 && is_contiguous(first.box, held)) {
    for_each_run(tensor_of(parameters, first.name), held, first.box,
                 [&](View run) { message = run; });
  } else {
    packed = device_->allocate({bucket.numbers});
    message = packed.view();
    std::int64_t place = 0;
    for (const Move* move : bucket.moves) {
      if (way.gives) {
        copy(*move, message.rows(place, place + move->box.numel()), true);
      }
      place += move->box.numel();
    }
  }
  StartedOperation operation =
      way.gives ? data_->start_send(device_->queue(), message, way.peer, weights_tag)
                : data_->start_receive(device_->queue(), message, way.peer, weights_tag);
  way.open.push_back({&bucket, std::move(packed), std::move(operation)});
}

bool WeightSync::advance(Way& way) {
  while (!way.open.empty() && way.open.front().operation.test()) {
    const Way::OnTheWay& done = way.open.front();
    if (!way.gives && !done.packed.empty()) {
      std::int64_t place = 0;
      for (const Move* move : done.bucket->moves) {
        const std::int64_t end = place + move->box.numel();
        copy(*move, View(const_cast<Tensor&>(done.packed).view()).rows(place, end), false);
        place = end;
      }
    }
    way.open.pop_front();
  }
  while (way.open.size() < most_open && way.next < way.buckets.size()) {
    begin(way, way.buckets[way.next++]);
  }
  return way.open.empty();
}

bool WeightSync::poll() {
  bool done = true;
  if (device_ != nullptr) {
    for (Way& way : ways_) {
      done = advance(way) && done;
    }
  }
  return done;
}

void WeightSync::finish() {
  if (device_ == nullptr) {
    return;
  }
  wait_until(*group_, "the policy's new weights", [this] { return poll(); },
             {.kind = WorkKind::data_communication, .bytes = bytes_sent_ + bytes_received_});
  if (to_ != nullptr) {
    to_->changed();
  }
  device_ = nullptr;
}

WeightSync::Found WeightSync::check(Device& device, const Parameters* from,
                                    const Parameters* to) const {
  if (!group_ || learner_.size() + rollout_.size() == 1) {
    return {};
  }
  const WorkScope scope(group_->work(), {.kind = WorkKind::checks, .name = "weight digests"});
  // Each rank's digests: of what it holds as a learner, then as a rollout rank.
  std::vector<std::uint64_t> mine;
  for (const Parameters* held : {from, rollout_.empty() ? nullptr : to}) {
    if (held != nullptr) {
      std::ranges::copy(box_digests(device, *held), std::back_inserter(mine));
    }
  }
  const auto all = group_->all_gather(std::as_bytes(std::span(mine)));
  std::vector<std::size_t> taken(all.size(), 0);
  std::vector<DigestedWeights> weights;
  for (const std::vector<Holder>* role : {&learner_, &rollout_}) {
    for (const Holder& holder : *role) {
      DigestedWeights& of = weights.emplace_back(DigestedWeights{
          .holder = holder.name, .copy = holder.copy, .specs = holder.specs, .digests = {}});
      of.digests.resize(holder.specs.size());
      const auto rank = static_cast<std::size_t>(holder.rank);
      const std::size_t bytes = of.digests.size() * sizeof(std::uint64_t);
      require(taken[rank] + bytes <= all[rank].size(),
              "{} gave {} bytes of digests; expected {} at least.", holder.name, all[rank].size(),
              taken[rank] + bytes);
      std::memcpy(of.digests.data(), all[rank].data() + taken[rank], bytes);
      taken[rank] += bytes;
    }
  }
  return {.difference = difference(weights), .digest = model_digest(weights)};
}

}  // namespace precis
