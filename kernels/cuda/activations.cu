// GELU and gated SiLU. Results in bf16 have 8 bits: there the fast exponential and quotient, whose
// errors are 1e-5 at most, keep the kernels bound by memory.
#include <type_traits>

#include "kernels/cuda/group.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/launch.hpp"

namespace precis::cuda {
namespace {

constexpr int threads = 256;

struct Sigmoid {
  float value;
  float complement;  ///< 1 - value, accurate where value is near 1.
};

/// 1 / (1 + exp(-x)) without overflow.
template <class T>
__device__ Sigmoid sigmoid(float x) {
  float small;
  float inverse;
  if constexpr (std::is_same_v<T, float>) {
    small = expf(-fabsf(x));
    inverse = 1.0F / (1.0F + small);
  } else {
    small = __expf(-fabsf(x));
    inverse = __fdividef(1.0F, 1.0F + small);
  }
  const float other = small * inverse;
  return x >= 0.0F ? Sigmoid{inverse, other} : Sigmoid{other, inverse};
}

constexpr float root_8_over_pi = 1.59576912160573071F;  // 2 sqrt(2/pi)
constexpr float cubic = 0.044715F;

/// Beyond 30 nothing changes, and its square is finite; a NaN stays one.
__device__ inline float limited(float x) { return x > 30.0F ? 30.0F : (x < -30.0F ? -30.0F : x); }

/// (1 + tanh(u)) / 2 = sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
template <class T>
__device__ Sigmoid tanh_gate(float x) {
  return sigmoid<T>(root_8_over_pi * x * (1.0F + cubic * x * x));
}

// The functions: of one number of each input to one of each output.

template <class T, Gelu kind>
struct GeluOf {
  __device__ Group<1> operator()(const Group<1>& in) const {
    const float x = in.x[0];
    return {x * (kind == Gelu::erf ? normcdff(x) : tanh_gate<T>(limited(x)).value)};
  }
};

template <class T, Gelu kind>
struct GeluGradientOf {
  /// in: dout, x.
  __device__ Group<1> operator()(const Group<2>& in) const {
    const float x = in.x[1];
    float slope = 0.0F;
    if constexpr (kind == Gelu::erf) {
      constexpr float one_over_root_2_pi = 0.398942280401432678F;
      slope = normcdff(x) + x * (one_over_root_2_pi * expf(-0.5F * x * x));
    } else {
      const float xl = limited(x);
      const Sigmoid gate = tanh_gate<T>(xl);
      const float inner = root_8_over_pi * (1.0F + 3.0F * cubic * xl * xl);
      slope = gate.value + x * (gate.value * gate.complement * inner);
    }
    return {in.x[0] * slope};
  }
};

template <class T>
struct GatedSiluOf {
  /// in: gate, up.
  __device__ Group<1> operator()(const Group<2>& in) const {
    return {in.x[0] * sigmoid<T>(in.x[0]).value * in.x[1]};
  }
};

template <class T>
struct GatedSiluGradientOf {
  /// in: dout, gate, up; out: dgate, dup.
  __device__ Group<2> operator()(const Group<3>& in) const {
    const float g = in.x[1];
    const Sigmoid s = sigmoid<T>(g);
    // silu'(g) = s + g s (1 - s)
    const float slope = s.value + g * s.value * s.complement;
    return {in.x[0] * in.x[2] * slope, in.x[0] * (g * s.value)};
  }
};

template <class T, int inputs, int outputs>
struct Tensors {
  const T* in[inputs];
  T* out[outputs];
};

/// A group a thread.
template <class T, int inputs, int outputs, class Function>
__global__ void transform(const Tensors<T, inputs, outputs> tensors, const Function function,
                          std::int64_t n, bool aligned) {
  constexpr int size = group_size<T>;
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x) * size;
  with_group<size>(n, i, aligned, [&](const auto& how) {
    Group<size> in[inputs];
    Group<size> out[outputs];
    for (int k = 0; k < inputs; ++k) {
      in[k] = how.load(tensors.in[k] + i);
    }
    for (int e = 0; e < size; ++e) {
      Group<inputs> x;
      for (int k = 0; k < inputs; ++k) {
        x.x[k] = in[k].x[e];
      }
      const Group<outputs> y = function(x);
      for (int k = 0; k < outputs; ++k) {
        out[k].x[e] = y.x[k];
      }
    }
    for (int k = 0; k < outputs; ++k) {
      how.store(tensors.out[k] + i, out[k]);
    }
  });
}

template <class T, class Function, int inputs, int outputs>
void start(Queue& queue, const char* kernel, const Function& function,
           const ConstView (&in)[inputs], const View (&out)[outputs]) {
  constexpr int size = group_size<T>;
  Tensors<T, inputs, outputs> tensors;
  bool aligned = true;
  for (int k = 0; k < inputs; ++k) {
    tensors.in[k] = in[k].template data<T>();
    aligned = aligned && groups_are_aligned(size, 0, {in[k]});
  }
  for (int k = 0; k < outputs; ++k) {
    tensors.out[k] = out[k].template data<T>();
    aligned = aligned && groups_are_aligned(size, 0, {out[k]});
  }
  const std::int64_t n = in[0].numel();
  launch(queue, kernel, transform<T, inputs, outputs, Function>,
         {.blocks = blocks_for(n, threads * size), .threads = threads}, tensors, function, n,
         aligned);
}

}  // namespace

void gelu_forward(Queue& queue, View out, ConstView x, Gelu kind) {
  constexpr const char* kernel = "gelu_forward";
  with_precision(kernel, x.dtype(), [&](auto number) {
    using T = decltype(number);
    if (kind == Gelu::erf) {
      start<T>(queue, kernel, GeluOf<T, Gelu::erf>{}, {x}, {out});
    } else {
      start<T>(queue, kernel, GeluOf<T, Gelu::tanh>{}, {x}, {out});
    }
  });
}

void gelu_backward(Queue& queue, View dx, ConstView dout, ConstView x, Gelu kind) {
  constexpr const char* kernel = "gelu_backward";
  with_precision(kernel, x.dtype(), [&](auto number) {
    using T = decltype(number);
    if (kind == Gelu::erf) {
      start<T>(queue, kernel, GeluGradientOf<T, Gelu::erf>{}, {dout, x}, {dx});
    } else {
      start<T>(queue, kernel, GeluGradientOf<T, Gelu::tanh>{}, {dout, x}, {dx});
    }
  });
}

void gated_silu_forward(Queue& queue, View out, ConstView gate, ConstView up) {
  constexpr const char* kernel = "gated_silu_forward";
  with_precision(kernel, gate.dtype(), [&](auto number) {
    using T = decltype(number);
    start<T>(queue, kernel, GatedSiluOf<T>{}, {gate, up}, {out});
  });
}

void gated_silu_backward(Queue& queue, View dgate, View dup, ConstView dout, ConstView gate,
                         ConstView up) {
  constexpr const char* kernel = "gated_silu_backward";
  with_precision(kernel, gate.dtype(), [&](auto number) {
    using T = decltype(number);
    start<T>(queue, kernel, GatedSiluGradientOf<T>{}, {dout, gate, up}, {dgate, dup});
  });
}

}  // namespace precis::cuda
