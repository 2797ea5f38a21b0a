#include "kernels/cuda/memory.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cuda/check.hpp"

namespace precis::cuda {
namespace {

std::uint64_t attribute(cudaMemPool_t pool, cudaMemPoolAttr which) {
  std::uint64_t value = 0;
  check(cudaMemPoolGetAttribute(pool, which, &value), "cudaMemPoolGetAttribute");
  return value;
}

}  // namespace

StreamMemory::StreamMemory() : Memory("device memory") {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetDefaultMemPool(&pool_, device), "cudaDeviceGetDefaultMemPool");
  std::uint64_t keep_all = std::numeric_limits<std::uint64_t>::max();
  check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all),
        "cudaMemPoolSetAttribute");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
}

StreamMemory::~StreamMemory() { cudaStreamDestroy(stream_); }

Memory::Space StreamMemory::space() const {
  // What was freed is free only once the stream has come so far.
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  const std::uint64_t unused = attribute(pool_, cudaMemPoolAttrReservedMemCurrent) -
                               attribute(pool_, cudaMemPoolAttrUsedMemCurrent);
  return {static_cast<std::int64_t>(free + unused), static_cast<std::int64_t>(total)};
}

void* StreamMemory::take(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
  void* memory = nullptr;
  cudaError_t result = cudaMallocAsync(&memory, size, stream_);
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // Else the next check would find it again.
    // What the pool keeps may lie in pieces that are too small; the driver can join them.
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    check(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
    result = cudaMallocAsync(&memory, size, stream_);
  }
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(result, "cudaMallocAsync");
  return memory;
}

void StreamMemory::give_back(void* memory) noexcept { cudaFreeAsync(memory, stream_); }

}  // namespace precis::cuda
