#include <fmt/format.h>

#include <atomic>
#include <new>

#include "base/error.hpp"
#include "kernels/cuda/check.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/queue.hpp"

namespace precis::cuda {
namespace {

constexpr double bytes_a_gib = 1 << 30;

std::atomic<std::uint64_t> changes = 0;

struct EventState {
  EventState() {
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  }
  EventState(const EventState&) = delete;
  EventState& operator=(const EventState&) = delete;
  ~EventState() { cudaEventDestroy(event); }

  cudaEvent_t event = nullptr;
};

void copy_bytes(Queue& queue, View out, ConstView x, cudaMemcpyKind kind) {
  require(
      out.dtype() == x.dtype() && out.shape() == x.shape(),
      "A copy from {} {} to {} {} was asked for; both must have the same shape and element type.",
      name_of(x.dtype()), to_string(x.shape()), name_of(out.dtype()), to_string(out.shape()));
  if (x.size_bytes() > 0) {
    check(cudaMemcpyAsync(out.bytes(), x.bytes(), static_cast<std::size_t>(x.size_bytes()), kind,
                          stream_of(queue)),
          "cudaMemcpyAsync");
  }
}

}  // namespace

std::uint64_t memory_changes() noexcept { return changes; }

void Free::operator()(void* memory) const noexcept { deallocate(memory); }

std::byte* Scratch::bytes(std::int64_t size) {
  if (size > size_) {
    // cudaFree waits for the device, so no kernel still uses the smaller block.
    memory_.reset();
    memory_.reset(allocate(size));
    size_ = size;
  }
  return static_cast<std::byte*>(memory_.get());
}

QueueState::QueueState() {
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
}

QueueState::~QueueState() { cudaStreamDestroy(stream); }

Queue make_queue() { return Queue(std::make_shared<QueueState>()); }

Event record(Queue& queue) {
  const auto state = std::make_shared<EventState>();
  check(cudaEventRecord(state->event, stream_of(queue)), "cudaEventRecord");
  return Event(state);
}

void wait(Queue& queue, const Event& event) {
  check(cudaStreamWaitEvent(stream_of(queue), event.state<EventState>().event, 0),
        "cudaStreamWaitEvent");
}

void synchronize(Queue& queue) {
  check(cudaStreamSynchronize(stream_of(queue)), "cudaStreamSynchronize");
}

void* allocate(std::int64_t bytes) {
  require(bytes >= 0, "{} bytes of memory were asked for.", bytes);
  void* memory = nullptr;
  const cudaError_t result = cudaMalloc(&memory, static_cast<std::size_t>(bytes > 0 ? bytes : 1));
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // Else the next check would find it again.
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    fail(
        "{:.2f} GiB of device memory could not be allocated: {:.2f} of {:.2f} GiB are free. Use a "
        "smaller batch, fewer micro_batch_tokens, a smaller model or bf16.",
        static_cast<double>(bytes) / bytes_a_gib, static_cast<double>(free) / bytes_a_gib,
        static_cast<double>(total) / bytes_a_gib);
  }
  check(result, "cudaMalloc");
  ++changes;
  return memory;
}

void deallocate(void* memory) noexcept {
  cudaFree(memory);
  ++changes;
}

// The host's memory is pageable, so the call returns when it has been read.
void copy_to_device(Queue& queue, View out, ConstView host) {
  copy_bytes(queue, out, host, cudaMemcpyHostToDevice);
}

void copy_to_host(Queue& queue, View host, ConstView x) {
  copy_bytes(queue, host, x, cudaMemcpyDeviceToHost);
  synchronize(queue);
}

std::string describe() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return fmt::format("{} (sm_{}{}, {:.0f} GiB)", properties.name, properties.major,
                     properties.minor,
                     static_cast<double>(properties.totalGlobalMem) / bytes_a_gib);
}

// cuBLASLt chooses a product's tiles by its number of rows.
bool rows_are_exact() { return false; }

}  // namespace precis::cuda
