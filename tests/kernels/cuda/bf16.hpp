// How a kernel is tested in bf16: against the reference in f32, on the same numbers.
#pragma once

#include "kernels/harness.hpp"

namespace precis::test {

/// f32 or bf16 from the other.
[[nodiscard]] inline HostTensor converted(const HostTensor& x, DType dtype) {
  HostTensor result(dtype, x.shape());
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const auto number = static_cast<float>(x.number(i));
    if (dtype == DType::bf16) {
      result.data<BFloat16>()[i] = to_bf16(number);
    } else {
      result.data<float>()[i] = number;
    }
  }
  return result;
}

/// An activation: in bf16 where that is asked for, else in f32 with the rounded numbers.
using Activation = std::function<HostTensor(const HostTensor&)>;

/// Runs `call` with activations in bf16 on the backend under test, twice, and in f32 on the
/// reference. The two runs must have the same bits; outputs in bf16 agree within `tolerance` in
/// normalised error (one rounding makes 2^-8 at most), those in other types within `exact`.
inline void expect_bf16_agreement(const std::function<void(Run&, const Activation&)>& call,
                                  double tolerance = 4e-3, double exact = 3e-6) {
  const auto run_in = [&](const Backend& backend, DType dtype) {
    return run_on(backend, [&](test::Run& run) {
      call(run, [&](const HostTensor& x) {
        return x.shape().rank() == 0 ? x : converted(converted(x, DType::bf16), dtype);
      });
    });
  };
  const auto expected = run_in(reference::backend, DType::f32);
  const auto actual = run_in(backend_under_test(), DType::bf16);
  EXPECT_EQ(run_in(backend_under_test(), DType::bf16), actual) << "of two runs";
  for (const auto& [name, tensor] : expected) {
    const HostTensor& result = actual.at(name);
    const bool is_half = result.dtype() == DType::bf16;
    expect_close(name, is_half ? converted(result, DType::f32) : result, tensor,
                 is_half ? tolerance : exact);
  }
}

}  // namespace precis::test
