// Repeated work as a CUDA graph: one launch in place of hundreds.
#include <cuda_runtime.h>

#include <memory>

#include "base/error.hpp"
#include "kernels/cuda/check.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/queue.hpp"

namespace precis::cuda {
namespace {

struct EndGraph {
  void operator()(cudaGraphExec_t graph) const noexcept { cudaGraphExecDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, EndGraph>;

struct RecordingState {
  bool seen = false;         ///< Done once while memory was as it is at `memory`.
  std::uint64_t memory = 0;  ///< Memory::changes() then.
  Graph graph;
};

/// The kernels that `work` puts into the queue, which does not run them.
Graph record_graph(Queue& queue, const std::function<void()>& work) {
  cudaStream_t stream = stream_of(queue);
  cudaGraph_t recorded = nullptr;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream, &recorded);
    cudaGraphDestroy(recorded);
    throw;
  }
  check(cudaStreamEndCapture(stream, &recorded), "cudaStreamEndCapture");
  cudaGraphExec_t graph = nullptr;
  const cudaError_t result = cudaGraphInstantiate(&graph, recorded, 0);
  cudaGraphDestroy(recorded);
  check(result, "cudaGraphInstantiate");
  return Graph(graph);
}

}  // namespace

// The first time takes the memory that the work needs, which must not happen while it is recorded.
void repeat(Queue& queue, Recording& recording, const std::function<void()>& work) {
  auto& state = recording.state<RecordingState>();
  const Memory& memory = *queue.memory();
  const std::uint64_t before = memory.changes();
  if (!state.seen || state.memory != before) {
    state.graph.reset();
    work();
    state.seen = memory.changes() == before;
    state.memory = before;
    return;
  }
  if (state.graph == nullptr) {
    state.graph = record_graph(queue, work);
    require(memory.changes() == before, "Repeated work took memory while it was recorded.");
  }
  check(cudaGraphLaunch(state.graph.get(), stream_of(queue)), "cudaGraphLaunch");
}

}  // namespace precis::cuda
