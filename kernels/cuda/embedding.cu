#include <utility>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/group.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 128;
constexpr int places_a_part = 512;

/// A place outside a table.
constexpr std::int32_t nowhere = -1;

/// The row of a table of `rows`, which begins with row `first` of a whole one.
__device__ inline std::int32_t place_in(std::int32_t place, std::int64_t first, std::int64_t rows) {
  const std::int64_t row = place - first;
  return 0 <= row && row < rows ? static_cast<std::int32_t>(row) : nowhere;
}

/// One block a token.
template <class T>
__global__ void look_up(T* out, const float* table, const std::int32_t* tokens, std::int64_t first,
                        std::int64_t table_rows, std::int64_t width, Write write, bool aligned) {
  constexpr int size = group_size<T>;
  const std::int32_t place = place_in(tokens[blockIdx.x], first, table_rows);
  if (place == nowhere && write == Write::accumulate) {
    return;
  }
  const float* from = table + place * width;
  T* to = out + blockIdx.x * width;
  for (std::int64_t i = threadIdx.x * size; i < width; i += threads * size) {
    with_group<size>(width, i, aligned, [&](const auto& how) {
      Group<size> row{};
      if (place != nowhere) {
        row = how.load(from + i);
      }
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

/// The rows of x by their places, the rows of one place in their order: a counting sort in parts of
/// `places_a_part` rows, so that the work is that of the rows and of the places for each part.
struct PlaceLists {
  std::int32_t* before;  // (parts, places): how many rows of earlier parts have the place
  std::int32_t* counts;  // (places): how many rows have the place
  std::int32_t* begins;  // (places): where in `order` they begin, if there are any
  std::int32_t* rank;    // (rows): how many rows before it in its part have the same place
  std::int32_t* order;   // (rows): their numbers, by place
  std::int32_t* filled;  // (1): how much of `order` has been given to places
};

/// Block b counts in part b; `before` becomes the counts of its own part. Rows without a place are
/// in no list.
__global__ void count_in_part(PlaceLists lists, const std::int32_t* places, std::int64_t first,
                              std::int64_t rows, std::int64_t table_rows) {
  __shared__ std::int32_t mine[places_a_part];
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * places_a_part;
  const int count = static_cast<int>(rows - begin < places_a_part ? rows - begin : places_a_part);
  std::int32_t* const counts = lists.before + blockIdx.x * table_rows;
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *lists.filled = 0;
  }
  for (std::int64_t place = threadIdx.x; place < table_rows; place += threads) {
    counts[place] = 0;
  }
  for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
    mine[i] = place_in(places[begin + i], first, table_rows);
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < count; i += threads) {
    if (mine[i] == nowhere) {
      continue;
    }
    int earlier = 0;
    int all = 0;
    for (int j = 0; j < count; ++j) {
      const bool same = mine[j] == mine[i];
      all += same ? 1 : 0;
      earlier += same && j < i ? 1 : 0;
    }
    lists.rank[begin + i] = earlier;
    if (earlier == 0) {
      counts[mine[i]] = all;
    }
  }
}

/// A thread a place. Which part of `order` a place gets depends on the threads' order, but not what
/// is in it.
__global__ void sum_over_parts(PlaceLists lists, std::int64_t parts, std::int64_t table_rows) {
  const std::int64_t place = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (place >= table_rows) {
    return;
  }
  std::int32_t sum = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    std::int32_t& before = lists.before[part * table_rows + place];
    const std::int32_t in_part = before;
    before = sum;
    sum += in_part;
  }
  lists.counts[place] = sum;
  if (sum > 0) {
    lists.begins[place] = atomicAdd(lists.filled, sum);
  }
}

/// How many rows before row n have its place.
__device__ inline std::int32_t earlier_rows(const PlaceLists& lists, std::int64_t n,
                                            std::int32_t place, std::int64_t table_rows) {
  return lists.before[n / places_a_part * table_rows + place] + lists.rank[n];
}

/// A thread a row of x.
__global__ void put_in_order(PlaceLists lists, const std::int32_t* places, std::int64_t first,
                             std::int64_t rows, std::int64_t table_rows) {
  const std::int64_t n = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (n >= rows) {
    return;
  }
  const std::int32_t place = place_in(places[n], first, table_rows);
  if (place != nowhere) {
    lists.order[lists.begins[place] + earlier_rows(lists, n, place, table_rows)] =
        static_cast<std::int32_t>(n);
  }
}

/// Block (n, y) owns row places[n] - first of out if it has one and no earlier place is the same,
/// and adds to it the rows of x that have this place, in their order; y counts parts of the
/// columns, a group a thread. The sum is rounded once.
template <class Out, class T>
__global__ void add_rows(Out* out, const T* x, const std::int32_t* places, PlaceLists lists,
                         std::int64_t first, std::int64_t table_rows, std::int64_t width,
                         bool aligned) {
  constexpr int size = group_size<T>;
  const std::int32_t place = place_in(places[blockIdx.x], first, table_rows);
  if (place == nowhere || earlier_rows(lists, blockIdx.x, place, table_rows) != 0) {
    return;
  }
  const std::int64_t column =
      (static_cast<std::int64_t>(blockIdx.y) * threads + threadIdx.x) * size;
  Out* const to = out + place * width + column;
  const std::int32_t* const order = lists.order + lists.begins[place];
  const std::int32_t count = lists.counts[place];
  with_group<size>(width, column, aligned, [&](const auto& how) {
    Group<size> sum = how.load(to);
#pragma unroll 4
    for (std::int32_t k = 0; k < count; ++k) {
      const auto row = how.load(x + order[k] * width + column);
      for (int e = 0; e < size; ++e) {
        sum.x[e] += row.x[e];
      }
    }
    how.store(to, sum);
  });
}

PlaceLists lists_in(Scratch& scratch, std::int64_t rows, std::int64_t parts,
                    std::int64_t table_rows) {
  std::int32_t* memory = scratch.of<std::int32_t>((parts + 2) * table_rows + 2 * rows + 1);
  const auto take = [&](std::int64_t count) { return std::exchange(memory, memory + count); };
  return {.before = take(parts * table_rows),
          .counts = take(table_rows),
          .begins = take(table_rows),
          .rank = take(rows),
          .order = take(rows),
          .filled = take(1)};
}

template <class Out, class T>
void add_rows_at(Queue& queue, const char* kernel, View out, ConstView x, ConstView places,
                 std::int64_t first) {
  constexpr int size = group_size<T>;
  const std::int64_t rows = places.numel();
  const std::int64_t table_rows = out.extent(0);
  const std::int64_t width = out.extent(1);
  const std::int64_t parts = blocks_for(rows, places_a_part);
  if (rows == 0) {
    return;
  }
  const auto* const at = places.data<std::int32_t>();
  const PlaceLists lists = lists_in(scratch_of(queue), rows, parts, table_rows);
  launch(queue, kernel, count_in_part, {.blocks = parts, .threads = threads}, lists, at, first,
         rows, table_rows);
  launch(queue, kernel, sum_over_parts,
         {.blocks = blocks_for(table_rows, threads), .threads = threads}, lists, parts, table_rows);
  launch(queue, kernel, put_in_order, {.blocks = blocks_for(rows, threads), .threads = threads},
         lists, at, first, rows, table_rows);
  launch(queue, kernel, add_rows<Out, T>,
         {.blocks = rows, .threads = threads, .blocks_y = blocks_for(width, threads * size)},
         out.data<Out>(), x.data<T>(), at, lists, first, table_rows, width,
         groups_are_aligned(size, width, {out, x}));
}

}  // namespace

void embedding_forward(Queue& queue, View out, ConstView table, ConstView tokens,
                       std::int64_t first, Write write) {
  constexpr const char* kernel = "embedding_forward";
  const std::int64_t width = table.extent(1);
  const std::int64_t count = tokens.numel();
  with_precision(kernel, out.dtype(), [&](auto number) {
    using T = decltype(number);
    launch(queue, kernel, look_up<T>, {.blocks = count, .threads = threads}, out.data<T>(),
           table.data<float>(), tokens.data<std::int32_t>(), first, table.extent(0), width, write,
           groups_are_aligned(group_size<T>, width, {out, table}));
  });
}

void embedding_backward(Queue& queue, View dtable, ConstView dout, ConstView tokens,
                        std::int64_t first) {
  constexpr const char* kernel = "embedding_backward";
  with_precision(kernel, dout.dtype(), [&](auto number) {
    add_rows_at<float, decltype(number)>(queue, kernel, dtable, dout, tokens, first);
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
    add_rows_at<T, T>(queue, kernel, out, x, positions, 0);
  });
}

}  // namespace precis::cuda
