// Stands in for the header of this name: a launch runs the kernel on the host, block by block.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/check.hpp"
#include "kernels/cuda/queue.hpp"

namespace precis::cuda {

struct Grid {
  std::int64_t blocks = 1;
  int threads = 256;
  std::int64_t shared_bytes = 0;
  std::int64_t blocks_y = 1;
};

inline std::byte* shared_memory() { return cuda_on_host::shared_memory(); }

template <class... Parameters, class... Arguments>
void launch(Queue& /*queue*/, const char* name, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  // The arguments' values of now, as a launch takes them.
  cuda_on_host::enqueue([=] {
    gridDim = {static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.blocks_y), 1};
    blockDim = {static_cast<unsigned>(grid.threads), 1, 1};
    for (unsigned y = 0; y < gridDim.y; ++y) {
      for (unsigned x = 0; x < gridDim.x; ++x) {
        blockIdx = {x, y, 0};
        cuda_on_host::run_block(name, grid.threads, static_cast<std::size_t>(grid.shared_bytes),
                                [&] { kernel(static_cast<Parameters>(arguments)...); });
      }
    }
  });
}

[[nodiscard]] constexpr std::int64_t blocks_for(std::int64_t n, std::int64_t size) {
  return (n + size - 1) / size;
}

}  // namespace precis::cuda
