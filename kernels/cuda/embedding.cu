#include "kernels/cuda/block.hpp"
#include "kernels/cuda/group.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 128;

/// One block a token.
template <class T>
__global__ void look_up(T* out, const float* table, const std::int32_t* tokens, std::int64_t width,
                        Write write, bool aligned) {
  constexpr int size = group_size<T>;
  const float* from = table + tokens[blockIdx.x] * width;
  T* to = out + blockIdx.x * width;
  for (std::int64_t i = threadIdx.x * size; i < width; i += threads * size) {
    with_group<size>(width, i, aligned, [&](const auto& how) {
      auto row = how.load(from + i);
      if (write == Write::accumulate) {
        const auto before = how.load(to + i);
        for (int e = 0; e < size; ++e) {
          row.x[e] += before.x[e];
        }
      }
      how.store(to + i, row);
    });
  }
}

/// One block a position; a row is `units` units long.
template <class Unit>
__global__ void copy_rows(Unit* out, const Unit* x, const std::int32_t* positions,
                          std::int64_t units) {
  const Unit* from = x + positions[blockIdx.x] * units;
  Unit* to = out + blockIdx.x * units;
  for (std::int64_t i = threadIdx.x; i < units; i += threads) {
    to[i] = from[i];
  }
}

/// Block (n, y) owns row places[n] of out if no earlier place is the same, and adds to it the rows
/// of x that have this place, in their order; y counts parts of the columns, a group a thread. The
/// sum is rounded once.
template <class Out, class T>
__global__ void add_rows(Out* out, const T* x, const std::int32_t* places, std::int64_t rows,
                         std::int64_t width, bool aligned) {
  constexpr int size = group_size<T>;
  constexpr int steps = 8;
  constexpr int round = steps * threads;  // places that are looked at between two barriers
  constexpr int warps = threads / warp_size;
  __shared__ unsigned matches[steps * warps];  // a bit a place
  // Their numbers, in order; read until all threads have come to the next round's first barrier.
  __shared__ int matching[round];
  const std::int64_t first = blockIdx.x;
  const std::int32_t place = places[first];
  for (std::int64_t begin = 0; begin < first; begin += round) {
    bool is_later = false;
    for (int step = 0; step < steps; ++step) {
      const std::int64_t n = begin + step * threads + threadIdx.x;
      is_later |= n < first && places[n] == place;
    }
    if (__syncthreads_or(static_cast<int>(is_later)) != 0) {
      return;
    }
  }
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const std::int64_t column =
      (static_cast<std::int64_t>(blockIdx.y) * threads + threadIdx.x) * size;
  Out* const to = out + place * width + column;
  Group<size> sum{};
  with_group<size>(width, column, aligned, [&](const auto& how) { sum = how.load(to); });
  for (std::int64_t begin = first; begin < rows; begin += round) {
    for (int step = 0; step < steps; ++step) {
      const std::int64_t n = begin + step * threads + threadIdx.x;
      const unsigned bits =
          __ballot_sync(all_lanes, static_cast<int>(n < rows && places[n] == place));
      if (lane == 0) {
        matches[step * warps + warp] = bits;
      }
    }
    __syncthreads();
    int found = 0;
    for (int word = 0; word < steps * warps; ++word) {
      const unsigned bits = matches[word];
      if (word % warps == warp && (bits >> lane & 1U) != 0) {
        matching[found + __popc(bits & ((1U << lane) - 1U))] =
            static_cast<int>(begin) + word * warp_size + lane;
      }
      found += __popc(bits);
    }
    __syncthreads();
    with_group<size>(width, column, aligned, [&](const auto& how) {
#pragma unroll 4
      for (int k = 0; k < found; ++k) {
        const auto row = how.load(x + matching[k] * width + column);
        for (int e = 0; e < size; ++e) {
          sum.x[e] += row.x[e];
        }
      }
    });
  }
  with_group<size>(width, column, aligned, [&](const auto& how) { how.store(to, sum); });
}

template <class Out, class T>
void add_rows_at(Queue& queue, const char* kernel, View out, ConstView x, ConstView places) {
  constexpr int size = group_size<T>;
  const std::int64_t rows = places.numel();
  const std::int64_t width = out.extent(1);
  launch(queue, kernel, add_rows<Out, T>,
         {.blocks = rows, .threads = threads, .blocks_y = blocks_for(width, threads * size)},
         out.data<Out>(), x.data<T>(), places.data<std::int32_t>(), rows, width,
         groups_are_aligned(size, width, {out, x}));
}

}  // namespace

void embedding_forward(Queue& queue, View out, ConstView table, ConstView tokens, Write write) {
  constexpr const char* kernel = "embedding_forward";
  const std::int64_t width = table.extent(1);
  const std::int64_t count = tokens.numel();
  with_precision(kernel, out.dtype(), [&](auto number) {
    using T = decltype(number);
    launch(queue, kernel, look_up<T>, {.blocks = count, .threads = threads}, out.data<T>(),
           table.data<float>(), tokens.data<std::int32_t>(), width, write,
           groups_are_aligned(group_size<T>, width, {out, table}));
  });
}

void embedding_backward(Queue& queue, View dtable, ConstView dout, ConstView tokens) {
  constexpr const char* kernel = "embedding_backward";
  with_precision(kernel, dout.dtype(), [&](auto number) {
    add_rows_at<float, decltype(number)>(queue, kernel, dtable, dout, tokens);
  });
}

void gather_rows(Queue& queue, View out, ConstView x, ConstView positions) {
  constexpr const char* kernel = "gather_rows";
  const std::int64_t count = positions.numel();
  const auto copy_in = [&](auto unit) {
    using Unit = decltype(unit);
    launch(queue, kernel, copy_rows<Unit>, {.blocks = count, .threads = threads},
           reinterpret_cast<Unit*>(out.bytes()), reinterpret_cast<const Unit*>(x.bytes()),
           positions.data<std::int32_t>(),
           x.extent(1) * size_of(x.dtype()) / static_cast<std::int64_t>(sizeof(Unit)));
  };
  if (groups_are_aligned(16, x.extent(1) * size_of(x.dtype()), {out, x})) {
    copy_in(uint4{});
  } else {
    copy_in(std::uint8_t{});
  }
}

void scatter_add_rows(Queue& queue, View out, ConstView x, ConstView positions) {
  constexpr const char* kernel = "scatter_add_rows";
  with_precision(kernel, out.dtype(), [&](auto number) {
    using T = decltype(number);
    add_rows_at<T, T>(queue, kernel, out, x, positions);
  });
}

}  // namespace precis::cuda
