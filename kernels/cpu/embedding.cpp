#include <algorithm>
#include <cstring>

#include "kernels/cpu/kernels.hpp"

namespace precis::cpu {
namespace {

/// out (rows, C) at places (P) - first += x (P, C), in the order of the places; those outside are
/// skipped. Each thread owns some of the columns, so that the order of additions does not depend on
/// how many threads there are.
void add_rows_at(View out, ConstView x, ConstView places, std::int64_t first) {
  const std::int64_t rows = out.extent(0);
  const std::int64_t width = out.extent(1);
  const std::int64_t count = places.numel();
  // Four cache lines: two threads do not write to the same line, whatever the width.
  constexpr std::int64_t columns = 64;
  float* const to = out.data<float>();
  const float* const from = x.data<float>();
  const std::int32_t* const place = places.data<std::int32_t>();
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < width; begin += columns) {
    const std::int64_t end = std::min(begin + columns, width);
    for (std::int64_t p = 0; p < count; ++p) {
      const std::int64_t number = place[p] - first;
      if (number < 0 || number >= rows) {
        continue;
      }
      float* const row = to + number * width;
      const float* const added = from + p * width;
      for (std::int64_t c = begin; c < end; ++c) {
        row[c] += added[c];
      }
    }
  }
}

}  // namespace

void embedding_forward(Queue&, View out, ConstView table, ConstView tokens, std::int64_t first,
                       Write write) {
  const std::int64_t width = table.extent(1);
  const std::int64_t count = tokens.numel();
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t token = tokens.data<std::int32_t>()[n] - first;
    float* const to = out.data<float>() + n * width;
    if (token < 0 || token >= table.extent(0)) {
      if (write == Write::overwrite) {
        std::fill_n(to, width, 0.0F);
      }
      continue;
    }
    const float* const from = table.data<float>() + token * width;
    for (std::int64_t c = 0; c < width; ++c) {
      to[c] = write == Write::accumulate ? to[c] + from[c] : from[c];
    }
  }
}

void embedding_backward(Queue&, View dtable, ConstView dout, ConstView tokens, std::int64_t first) {
  add_rows_at(dtable, dout, tokens, first);
}

void gather_rows(Queue&, View out, ConstView x, ConstView positions) {
  const std::int64_t count = positions.numel();
  const std::int64_t row_bytes = x.extent(1) * size_of(x.dtype());
#pragma omp parallel for schedule(static)
  for (std::int64_t p = 0; p < count; ++p) {
    const std::int32_t position = positions.data<std::int32_t>()[p];
    assert(position >= 0 && position < x.extent(0));
    std::memcpy(out.bytes() + p * row_bytes, x.bytes() + position * row_bytes,
                static_cast<std::size_t>(row_bytes));
  }
}

void scatter_add_rows(Queue&, View out, ConstView x, ConstView positions) {
  assert(std::all_of(
      positions.data<std::int32_t>(), positions.data<std::int32_t>() + positions.numel(),
      [&](std::int32_t position) { return 0 <= position && position < out.extent(0); }));
  add_rows_at(out, x, positions, 0);
}

}  // namespace precis::cpu
