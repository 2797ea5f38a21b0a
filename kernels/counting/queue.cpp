#include "kernels/counting/queue.hpp"

#include <limits>

#include "base/error.hpp"

namespace precis::counting {

Memory::Space CountedMemory::space() const {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  return {most, most};
}

void* CountedMemory::take(std::int64_t bytes) {
  constexpr std::uintptr_t alignment = 256;
  const std::uintptr_t place = next_;
  next_ += (static_cast<std::uintptr_t>(bytes) / alignment + 1) * alignment;
  return reinterpret_cast<void*>(place);  // NOLINT(performance-no-int-to-ptr): never followed
}

Queue make_queue() {
  const auto memory = std::make_shared<CountedMemory>();
  return Queue(memory, std::make_shared<QueueState>(memory));
}

void copy_to_device(Queue& queue, View out, ConstView host) {
  if (host.dtype() == DType::i32 && host.shape().rank() == 1) {
    const auto* list = host.data<std::int32_t>();
    queue.state<QueueState>().lists[out.bytes()].assign(list, list + host.numel());
  }
}

std::vector<std::int64_t> lengths_of(Queue& queue, ConstView offsets) {
  const auto& lists = queue.state<QueueState>().lists;
  const auto found = lists.find(offsets.bytes());
  require(found != lists.end() && std::ssize(found->second) == offsets.numel(),
          "The offsets of a counted batch were not put on the device by the host.");
  std::vector<std::int64_t> lengths;
  for (std::size_t b = 0; b + 1 < found->second.size(); ++b) {
    lengths.push_back(found->second[b + 1] - found->second[b]);
  }
  return lengths;
}

Pack counted_pack(Queue& queue, ConstView weight, const Shape& shape, DType precision,
                  Pack former) {
  auto packed = std::move(former).release<CountedPack>();
  if (packed == nullptr) {
    packed = std::make_shared<CountedPack>(
        CountedPack{.out = weight.extent(0), .in = weight.extent(1), .memory = {}});
    if (shape.rank() > 0) {
      packed->memory = Tensor(queue.memory(), shape, precision, MemoryUse::packed_weights);
    }
  }
  return Pack(std::move(packed), weight.shape(), precision);
}

}  // namespace precis::counting
