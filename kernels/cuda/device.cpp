#include <fmt/format.h>

#include "kernels/cuda/check.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/queue.hpp"

namespace precis::cuda {
namespace {

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
  if (x.size_bytes() > 0) {
    check(cudaMemcpyAsync(out.bytes(), x.bytes(), static_cast<std::size_t>(x.size_bytes()), kind,
                          stream_of(queue)),
          "cudaMemcpyAsync");
  }
}

}  // namespace

Queue make_queue() {
  const auto memory = std::make_shared<StreamMemory>();
  return Queue(memory, std::make_shared<QueueState>(memory));
}

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

// From pageable memory, which is what the callers have, the driver reads before the call returns.
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
                     properties.minor, static_cast<double>(properties.totalGlobalMem) / (1 << 30));
}

// cuBLASLt chooses a product's tiles by its number of rows.
bool rows_are_exact() { return false; }

}  // namespace precis::cuda
