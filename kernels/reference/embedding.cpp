#include <algorithm>
#include <vector>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {
namespace {

void add_rows_at(View out, ConstView x, ConstView places, std::int64_t first) {
  const std::int64_t width = out.extent(1);
  std::vector<double> sums(out.data<float>(), out.data<float>() + out.numel());
  for (std::int64_t p = 0; p < places.numel(); ++p) {
    const std::int64_t place = places.data<std::int32_t>()[p] - first;
    for (std::int64_t c = 0; c < width && 0 <= place && place < out.extent(0); ++c) {
      sums[static_cast<std::size_t>(place * width + c)] += x.data<float>()[p * width + c];
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    out.data<float>()[i] = static_cast<float>(sums[i]);
  }
}

}  // namespace

void embedding_forward(Queue&, View out, ConstView table, ConstView tokens, std::int64_t first,
                       Write write) {
  const std::int64_t width = table.extent(1);
  for (std::int64_t n = 0; n < tokens.numel(); ++n) {
    const std::int64_t place = tokens.data<std::int32_t>()[n] - first;
    const bool is_here = 0 <= place && place < table.extent(0);
    for (std::int64_t c = 0; c < width; ++c) {
      float& element = out.data<float>()[n * width + c];
      const float before = write == Write::accumulate ? element : 0.0F;
      element = before + (is_here ? table.data<float>()[place * width + c] : 0.0F);
    }
  }
}

void embedding_backward(Queue&, View dtable, ConstView dout, ConstView tokens, std::int64_t first) {
  add_rows_at(dtable, dout, tokens, first);
}

void gather_rows(Queue&, View out, ConstView x, ConstView positions) {
  for (std::int64_t p = 0; p < positions.numel(); ++p) {
    const std::int64_t position = positions.data<std::int32_t>()[p];
    const ConstView row = x.rows(position, position + 1);
    std::copy_n(row.bytes(), row.size_bytes(), out.rows(p, p + 1).bytes());
  }
}

void scatter_add_rows(Queue&, View out, ConstView x, ConstView positions) {
  add_rows_at(out, x, positions, 0);
}

}  // namespace precis::reference
