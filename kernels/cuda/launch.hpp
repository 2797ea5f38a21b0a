// How a kernel is started. The tests have a header of the same name that runs the kernels on the
// host, thread by thread (tests/kernels/cuda_on_host), so kernels keep to what the two have in
// common: launch, shared_memory, and the functions of ptx.hpp and block.hpp.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "kernels/cuda/check.hpp"
#include "kernels/cuda/queue.hpp"

namespace precis::cuda {

struct Grid {
  std::int64_t blocks = 1;  ///< 0: nothing is started.
  int threads = 256;
  std::int64_t shared_bytes = 0;
  std::int64_t blocks_y = 1;
};

/// The block's dynamic shared memory, aligned to 128 bytes.
__device__ inline std::byte* shared_memory() {
  extern __shared__ __align__(128) std::byte dynamic_shared_memory[];
  return dynamic_shared_memory;
}

/// Puts kernel<<<grid>>>(arguments...) into the queue. `name` is for messages.
template <class... Parameters, class... Arguments>
void launch(Queue& queue, const char* name, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  if (grid.blocks == 0 || grid.blocks_y == 0) {
    return;
  }
  const auto* function = reinterpret_cast<const void*>(kernel);
  // 48 KiB less what the kernel has of static shared memory.
  constexpr std::int64_t always_allowed = 32 * 1024;
  if (grid.shared_bytes > always_allowed) {
    check(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(grid.shared_bytes)),
          name);
  }
  std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {&value...};
        check(cudaLaunchKernel(
                  function,
                  dim3(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.blocks_y)),
                  dim3(static_cast<unsigned>(grid.threads)), pointers,
                  static_cast<std::size_t>(grid.shared_bytes), stream_of(queue)),
              name);
      },
      values);
}

/// Blocks of `size` that hold n elements.
[[nodiscard]] constexpr std::int64_t blocks_for(std::int64_t n, std::int64_t size) {
  return (n + size - 1) / size;
}

}  // namespace precis::cuda
