// Layer norm and RMS norm, by their formulas.
#include <cmath>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {

void layer_norm_forward(Queue&, View out, View mean, View rstd, ConstView x, ConstView weight,
                        ConstView bias, double epsilon) {
  const std::int64_t rows = x.extent(0);
  const std::int64_t width = x.extent(1);
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* xn = x.data<float>() + n * width;
    double sum = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      sum += xn[i];
    }
    const double m = sum / static_cast<double>(width);
    double squares = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      squares += (xn[i] - m) * (xn[i] - m);
    }
    const double r = 1.0 / std::sqrt(squares / static_cast<double>(width) + epsilon);
    mean.data<float>()[n] = static_cast<float>(m);
    rstd.data<float>()[n] = static_cast<float>(r);
    for (std::int64_t i = 0; i < width; ++i) {
      const double shift = bias.empty() ? 0.0 : static_cast<double>(bias.data<float>()[i]);
      out.data<float>()[n * width + i] =
          static_cast<float>((xn[i] - m) * r * weight.data<float>()[i] + shift);
    }
  }
}

namespace {

/// Both norms' backward pass: without `mean`, RMS norm.
void norm_backward(View dx, View dweight, View dbias, ConstView dout, ConstView x, ConstView weight,
                   ConstView mean, ConstView rstd) {
  const std::int64_t rows = x.extent(0);
  const std::int64_t width = x.extent(1);
  for (std::int64_t n = 0; n < rows; ++n) {
    const double m = mean.empty() ? 0.0 : static_cast<double>(mean.data<float>()[n]);
    const double r = rstd.data<float>()[n];
    const auto normal = [&](std::int64_t i) { return (x.data<float>()[n * width + i] - m) * r; };
    const auto dnormal = [&](std::int64_t i) {
      return static_cast<double>(dout.data<float>()[n * width + i]) *
             static_cast<double>(weight.data<float>()[i]);
    };
    double sum = 0.0;
    double projection = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      sum += mean.empty() ? 0.0 : dnormal(i);
      projection += dnormal(i) * normal(i);
    }
    sum /= static_cast<double>(width);
    projection /= static_cast<double>(width);
    for (std::int64_t i = 0; i < width; ++i) {
      dx.data<float>()[n * width + i] +=
          static_cast<float>(r * (dnormal(i) - sum - normal(i) * projection));
    }
  }
  for (std::int64_t i = 0; i < width; ++i) {
    double weight_sum = 0.0;
    double bias_sum = 0.0;
    for (std::int64_t n = 0; n < rows; ++n) {
      const double m = mean.empty() ? 0.0 : static_cast<double>(mean.data<float>()[n]);
      const double gradient = dout.data<float>()[n * width + i];
      weight_sum += gradient * (x.data<float>()[n * width + i] - m) * rstd.data<float>()[n];
      bias_sum += gradient;
    }
    dweight.data<float>()[i] += static_cast<float>(weight_sum);
    if (!dbias.empty()) {
      dbias.data<float>()[i] += static_cast<float>(bias_sum);
    }
  }
}

}  // namespace

void layer_norm_backward(Queue&, View dx, View dweight, View dbias, ConstView dout, ConstView x,
                         ConstView weight, ConstView mean, ConstView rstd) {
  norm_backward(dx, dweight, dbias, dout, x, weight, mean, rstd);
}

void rms_norm_forward(Queue&, View out, View rstd, ConstView x, ConstView weight, double epsilon) {
  const std::int64_t rows = x.extent(0);
  const std::int64_t width = x.extent(1);
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* xn = x.data<float>() + n * width;
    double squares = 0.0;
    for (std::int64_t i = 0; i < width; ++i) {
      squares += static_cast<double>(xn[i]) * static_cast<double>(xn[i]);
    }
    const double r = 1.0 / std::sqrt(squares / static_cast<double>(width) + epsilon);
    rstd.data<float>()[n] = static_cast<float>(r);
    for (std::int64_t i = 0; i < width; ++i) {
      out.data<float>()[n * width + i] = static_cast<float>(xn[i] * r * weight.data<float>()[i]);
    }
  }
}

void rms_norm_backward(Queue&, View dx, View dweight, ConstView dout, ConstView x, ConstView weight,
                       ConstView rstd) {
  norm_backward(dx, dweight, View(), dout, x, weight, ConstView(), rstd);
}

}  // namespace precis::reference
