#include "kernels/memory.hpp"

#include <fmt/format.h>

#include <numeric>

#include "base/text.hpp"
#include "kernels/memory_names.hpp"
#include "kernels/out_of_memory.hpp"

namespace precis {

const char* name_of(MemoryUse use) {
  switch (use) {
    case MemoryUse::parameters:
      return "parameters";
    case MemoryUse::packed_weights:
      return "packed weights";
    case MemoryUse::gradients:
      return "gradients";
    case MemoryUse::optimizer_state:
      return "optimizer state";
    case MemoryUse::activations:
      return "activations";
    case MemoryUse::key_value_cache:
      return "key-value cache";
    case MemoryUse::scratch:
      break;
  }
  return "scratch";
}

namespace {

const char* remedy_for(MemoryUse use) {
  switch (use) {
    case MemoryUse::parameters:
    case MemoryUse::packed_weights:
    case MemoryUse::gradients:
    case MemoryUse::optimizer_state:
      return "Use a smaller model.";
    case MemoryUse::activations:
    case MemoryUse::scratch:
      return "Work on fewer tokens (micro_batch_tokens) or sequences (max_sequences) at a time.";
    case MemoryUse::key_value_cache:
      break;
  }
  return "Generate fewer sequences at a time (max_sequences).";
}

std::string text_of(std::int64_t bytes) { return byte_size(static_cast<std::uint64_t>(bytes)); }

}  // namespace

std::int64_t MemoryCount::total() const {
  return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0});
}

std::string to_string(const MemoryCount& count) {
  std::string text;
  for (std::size_t i = 0; i < memory_uses; ++i) {
    if (count.bytes[i] > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name_of(static_cast<MemoryUse>(i)),
                          text_of(count.bytes[i]));
    }
  }
  return text;
}

std::byte* Memory::allocate(const Shape& shape, DType dtype, MemoryUse use) {
  const std::int64_t bytes = shape.numel() * size_of(dtype);
  require(bytes >= 0, "Memory of {} bytes, shape {}, was asked for.", bytes, to_string(shape));
  void* memory = take(bytes);
  if (memory == nullptr) {
    const Space now = space();
    const std::string held =
        held_.total() == 0
            ? ""
            : fmt::format(" This process holds {}: {}.", text_of(held_.total()), to_string(held_));
    throw OutOfMemory(
        fmt::format("{} of {} for {}, {} {}, could not be allocated: {} of {} are free.{} {}",
                    text_of(bytes), name_, name_of(use), precis::name_of(dtype), to_string(shape),
                    text_of(now.free), text_of(now.total), held, remedy_for(use)));
  }
  ++changes_;
  held_.of(use) += bytes;
  if (held_.total() > peak_.total()) {
    peak_ = held_;
  }
  return static_cast<std::byte*>(memory);
}

void Memory::deallocate(void* memory, std::int64_t bytes, MemoryUse use) noexcept {
  give_back(memory);
  ++changes_;
  held_.of(use) -= bytes;
}

}  // namespace precis
