// Stands in for CUDA's header of this name: the words of its language and the few functions of its
// runtime that kernels/cuda uses, on the host. With it the kernels' own source files are compiled
// as C++ and run in tests, thread by thread (threads.hpp).
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <numbers>
#include <utility>
#include <vector>

#include "threads.hpp"

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
// The blocks of a grid run one after another, so that a block's memory may be the program's.
#define __shared__ static
#define __constant__ static

struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};
inline uint3 threadIdx, blockIdx, blockDim, gridDim;

// Any memory may be read and written as one of these, as CUDA's compiler allows.
struct alignas(8) [[gnu::may_alias]] float2 {
  float x, y;
};
struct alignas(16) [[gnu::may_alias]] float4 {
  float x, y, z, w;
};
struct alignas(8) [[gnu::may_alias]] uint2 {
  unsigned x, y;
};
struct alignas(16) [[gnu::may_alias]] uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) [[gnu::may_alias]] int4 {
  int x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

inline void __syncthreads() { cuda_on_host::barrier(); }
inline int __syncthreads_or(int predicate) {
  static bool any = false;
  any = any || predicate != 0;
  cuda_on_host::barrier();
  const bool result = any;
  cuda_on_host::barrier();
  any = false;
  cuda_on_host::barrier();
  return static_cast<int>(result);
}
inline void __syncwarp(unsigned mask = 0xffffffffU) {
  static_cast<void>(cuda_on_host::exchange(mask, 0));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return cuda_on_host::exchange(mask, value)[static_cast<std::size_t>(lane) % 32];
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  const auto other = static_cast<std::size_t>(cuda_on_host::lane() ^ static_cast<unsigned>(lanes));
  return cuda_on_host::exchange(mask, value)[other];
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes) {
  const auto values = cuda_on_host::exchange(mask, value);
  return cuda_on_host::lane() >= lanes ? values[cuda_on_host::lane() - lanes] : value;
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes) {
  const auto values = cuda_on_host::exchange(mask, value);
  return cuda_on_host::lane() + lanes < 32 ? values[cuda_on_host::lane() + lanes] : value;
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const auto values = cuda_on_host::exchange(mask, predicate);
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) != 0 && values[lane] != 0) {
      ballot |= 1U << lane;
    }
  }
  return ballot;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) == mask;
}

inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float normcdff(float x) {
  return static_cast<float>(0.5 * std::erfc(-static_cast<double>(x) / std::numbers::sqrt2));
}
inline float rsqrtf(float x) { return 1.0F / std::sqrt(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
inline int min(int a, int b) { return a < b ? a : b; }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T atomicAdd(T* address, T value) {
  const T before = *address;
  *address = static_cast<T>(before + value);
  return before;
}
template <class T>
T atomicMax(T* address, T value) {
  const T before = *address;
  *address = before > value ? before : value;
  return before;
}

// The runtime: one device whose memory is the host's and whose streams run at once, unless they are
// being captured.
using cudaError_t = int;
inline constexpr cudaError_t cudaSuccess = 0;
inline constexpr cudaError_t cudaErrorMemoryAllocation = 2;
inline constexpr cudaError_t cudaErrorStreamCaptureUnsupported = 900;
using cudaStream_t = void*;
using cudaEvent_t = void*;
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDisableTiming = 2;
struct cudaDeviceProp {
  char name[256] = "the host, thread by thread";
  std::size_t totalGlobalMem = 0;
  int major = 9, minor = 0;
};

namespace cuda_on_host {

/// What was put into the stream while it was captured.
using Graph = std::vector<std::function<void()>>;
inline Graph* captured = nullptr;

/// Does the work, or keeps it for later when the stream is being captured.
inline void enqueue(std::function<void()> work) {
  if (captured != nullptr) {
    captured->push_back(std::move(work));
  } else {
    work();
  }
}

}  // namespace cuda_on_host

using cudaGraph_t = cuda_on_host::Graph*;
using cudaGraphExec_t = cuda_on_host::Graph*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory"
                                            : "operation not permitted when stream is capturing";
}
inline const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation"
                                            : "cudaErrorStreamCaptureUnsupported";
}
inline cudaError_t refused_while_captured() {
  return cuda_on_host::captured == nullptr ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
}
inline cudaError_t cudaStreamBeginCapture(cudaStream_t /*stream*/, cudaStreamCaptureMode /*mode*/) {
  cuda_on_host::captured = new cuda_on_host::Graph;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t /*stream*/, cudaGraph_t* graph) {
  *graph = std::exchange(cuda_on_host::captured, nullptr);
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                        unsigned long long /*flags*/) {
  *exec = new cuda_on_host::Graph(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return cudaGraphDestroy(exec); }
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t /*stream*/) {
  for (const auto& work : *exec) {
    work();
  }
  return cudaSuccess;
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned /*flags*/) {
  *stream = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t /*stream*/) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t /*stream*/) {
  return refused_while_captured();
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t /*stream*/, cudaEvent_t /*event*/,
                                       unsigned /*flags*/) {
  return cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  *event = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t /*event*/) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t /*event*/, cudaStream_t /*stream*/) {
  return cudaSuccess;
}
/// The device's memory: tests may make it small.
struct DeviceMemory {
  std::size_t total = std::size_t{64} << 30;
  std::size_t used = 0;
  std::map<void*, std::size_t> blocks;
};
inline DeviceMemory& device_memory() {
  static DeviceMemory memory;
  return memory;
}
/// Memory that is full of NaN, as a device's may be.
inline cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t /*stream*/) {
  if (cuda_on_host::captured != nullptr) {
    return cudaErrorStreamCaptureUnsupported;
  }
  DeviceMemory& of = device_memory();
  const std::size_t rounded = (bytes + 255) / 256 * 256;
  if (rounded > of.total - of.used) {
    return cudaErrorMemoryAllocation;
  }
  *memory = std::aligned_alloc(256, rounded);
  std::memset(*memory, 0xff, rounded);
  of.used += rounded;
  of.blocks[*memory] = rounded;
  return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* memory, cudaStream_t /*stream*/) {
  DeviceMemory& of = device_memory();
  const auto block = of.blocks.find(memory);
  of.used -= block->second;
  of.blocks.erase(block);
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = device_memory().total - device_memory().used;
  *total = device_memory().total;
  return cudaSuccess;
}
/// The pool keeps nothing.
using cudaMemPool_t = void*;
enum cudaMemPoolAttr {
  cudaMemPoolAttrReleaseThreshold,
  cudaMemPoolAttrReservedMemCurrent,
  cudaMemPoolAttrUsedMemCurrent
};
inline cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int /*device*/) {
  *pool = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t /*pool*/, cudaMemPoolAttr /*attribute*/,
                                           void* /*value*/) {
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t /*pool*/, cudaMemPoolAttr /*attribute*/,
                                           void* value) {
  *static_cast<std::uint64_t*>(value) = 0;
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolTrimTo(cudaMemPool_t /*pool*/, std::size_t /*bytes*/) {
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes,
                                   cudaMemcpyKind kind, cudaStream_t /*stream*/) {
  if (cuda_on_host::captured != nullptr && kind != cudaMemcpyDeviceToDevice) {
    return cudaErrorStreamCaptureUnsupported;  // the host's memory may be gone when it is launched
  }
  cuda_on_host::enqueue([=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes,
                                   cudaStream_t /*stream*/) {
  cuda_on_host::enqueue([=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  *properties = {};
  return cudaSuccess;
}
