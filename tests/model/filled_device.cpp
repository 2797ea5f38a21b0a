#include "model/filled_device.hpp"

#include <cstring>
#include <map>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/queue.hpp"
#include "kernels/table.hpp"

namespace precis {
namespace filled {
namespace {

using namespace cpu;  // NOLINT(google-build-using-namespace): table.inc names all its kernels

std::uint8_t byte_of_next_device = 0;

class FilledMemory final : public Memory {
 public:
  explicit FilledMemory(std::uint8_t byte) : Memory("test memory"), byte_(byte) {}
  [[nodiscard]] Space space() const override { return {large - held().total(), large}; }

  void set(void* begin, std::int64_t bytes) const {
    std::memset(begin, byte_, static_cast<std::size_t>(bytes));
  }
  /// Elements of a flat buffer of `size` that belong to no tensor.
  using Gaps = std::vector<std::pair<std::int64_t, std::int64_t>>;
  void know(std::int64_t size, Gaps gaps) { gaps_[size] = std::move(gaps); }
  void set_gaps(View flat) {
    const auto found = gaps_.find(flat.numel());
    if (flat.shape().rank() != 1 || flat.dtype() != DType::f32 || found == gaps_.end()) {
      return;
    }
    for (const auto& [begin, end] : found->second) {
      set(flat.data<float>() + begin, (end - begin) * size_of(DType::f32));
      so_far.gaps += end - begin;
    }
  }
  test::Filled so_far;

 private:
  static constexpr std::int64_t large = std::int64_t{1} << 40;

  [[nodiscard]] void* take(std::int64_t bytes) override {
    void* const memory = ::operator new(static_cast<std::size_t>(bytes), std::align_val_t(64));
    set(memory, bytes);
    return memory;
  }
  void give_back(void* memory) noexcept override {
    ::operator delete(memory, std::align_val_t(64));
  }

  std::uint8_t byte_;
  std::map<std::int64_t, Gaps> gaps_;  // by the buffer's size
};

FilledMemory& memory_of(const Memory& memory) {
  return dynamic_cast<FilledMemory&>(const_cast<Memory&>(memory));
}

Queue make_queue() {
  const auto memory = std::make_shared<FilledMemory>(byte_of_next_device);
  return Queue(memory, std::make_shared<QueueState>(memory));
}

/// These two stand in the table in place of the CPU's.
void fill(Queue& queue, View out, double value) {
  cpu::fill(queue, out, value);
  memory_of(*queue.memory()).set_gaps(out);
}

void decode_attention(Queue& queue, View out, ConstView q, ConstView key_blocks,
                      ConstView value_blocks, ConstView tables, ConstView lengths, double scale) {
  // All live sequences are in each decode step.
  std::set<std::int64_t> owned;
  for (std::int64_t b = 0; b < tables.extent(0); ++b) {
    const auto* table = tables.data<std::int32_t>() + b * tables.extent(1);
    for (std::int64_t t = 0; t < lengths.data<std::int32_t>()[b]; ++t) {
      owned.insert(table[t / attention_block] * attention_block + t % attention_block);
    }
  }
  FilledMemory& memory = memory_of(*queue.memory());
  const std::int64_t kv_heads = key_blocks.extent(1);
  const std::int64_t head_dim = key_blocks.extent(2);
  const auto writable = [](ConstView blocks) { return const_cast<float*>(blocks.data<float>()); };
  float* const keys = writable(key_blocks);
  float* const values = writable(value_blocks);
  for (std::int64_t slot = 0; slot < key_blocks.extent(0) * attention_block; ++slot) {
    if (owned.contains(slot)) {
      continue;
    }
    for (std::int64_t head = 0; head < kv_heads; ++head) {
      const std::int64_t base =
          (slot / attention_block * kv_heads + head) * head_dim * attention_block;
      const std::int64_t place = slot % attention_block;
      for (std::int64_t i = 0; i < head_dim; ++i) {
        memory.set(keys + base + i * attention_block + place, size_of(DType::f32));
        memory.set(values + base + place * head_dim + i, size_of(DType::f32));
      }
    }
    ++memory.so_far.cache_slots;
  }
  cpu::decode_attention(queue, out, q, key_blocks, value_blocks, tables, lengths, scale);
}

constexpr Capabilities capabilities{.reads_lists = true};

const Backend backend{
    .name = "filled",
    .runs_ahead = false,
    .one_pack = false,
#include "kernels/table.inc"
};

}  // namespace
}  // namespace filled

namespace test {

Device filled_device(std::uint8_t byte) {
  filled::byte_of_next_device = byte;
  return Device(filled::backend);
}

void fill_gaps(Device& device, Parameters& parameters) {
  filled::FilledMemory& memory = filled::memory_of(device.memory());
  // Gradients may have one tensor more.
  for (const auto& specs :
       {gradient_specs(parameters.specs(), parameters.parallel().place), parameters.specs()}) {
    const auto offsets = flat_offsets(specs);
    filled::FilledMemory::Gaps gaps;
    for (std::size_t i = 0; i < specs.size(); ++i) {
      gaps.emplace_back(offsets[i] + specs[i].shard.numel(), offsets[i + 1]);
    }
    memory.know(offsets.back(), std::move(gaps));
  }
  memory.set_gaps(parameters.flat());
}

void fill_arena(Device& device, Arena& arena) {
  const auto fill = [&](Workspace& workspace) {
    workspace.reset();
    const WorkspaceScope scope(workspace);
    const View all = workspace.take(Shape{workspace.bytes()}, DType::u8);
    filled::memory_of(device.memory()).set(all.bytes(), all.size_bytes());
  };
  fill(arena.slot(0));
  fill(arena.backward());
  fill(arena.recomputed());
}

Filled filled_so_far(const Device& device) { return filled::memory_of(device.memory()).so_far; }

}  // namespace test
}  // namespace precis
