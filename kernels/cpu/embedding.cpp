#include <algorithm>
#include <cstring>

#include "kernels/cpu/kernels.hpp"

namespace precis::cpu {
namespace {

/// out (rows, C) at places (P) += x (P, C), in the order of the places. Each thread owns some of
/// the columns, so that the order of additions does not depend on how many threads there are.
void add_rows_at(View out, ConstView x, ConstView places) {
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
      assert(place[p] >= 0 && place[p] < out.extent(0));
      float* const row = to + place[p] * width;
      const float* const added = from + p * width;
      for (std::int64_t c = begin; c < end; ++c) {
        row[c] += added[c];
      }
    }
  }
}

}  // namespace

void embedding_forward(Queue&, View out, ConstView table, ConstView tokens, Write write) {
  const std::int64_t width = table.extent(1);
  const std::int64_t count = tokens.numel();
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int32_t token = tokens.data<std::int32_t>()[n];
    assert(token >= 0 && token < table.extent(0));
    const float* const from = table.data<float>() + token * width;
    float* const to = out.data<float>() + n * width;
    for (std::int64_t c = 0; c < width; ++c) {
      to[c] = write == Write::accumulate ? to[c] + from[c] : from[c];
    }
  }
}

void embedding_backward(Queue&, View dtable, ConstView dout, ConstView tokens) {
  add_rows_at(dtable, dout, tokens);
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
  add_rows_at(out, x, positions);
}

}  // namespace precis::cpu
