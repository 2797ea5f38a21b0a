// Packed weights and the products with them.
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

#include "base/error.hpp"
#include "kernels/check.hpp"
#include "kernels/checks/checks.hpp"

namespace precis::checks {
namespace {

/// The shape of the weight that a pack was made from.
struct Weight {
  std::int64_t out;
  std::int64_t in;
};

/// The shape of the weight in a pack for activations in `precision`.
Weight weight_of(const KernelCall& call, const Pack& pack, DType precision) {
  check_that(!pack.empty(), call.kernel, "the weight was not packed.");
  require(pack.precision() == precision,
          "Kernel {}: the weight was packed for {}, and the activations are in {}.", call.kernel,
          name_of(pack.precision()), name_of(precision));
  return {pack.shape()[0], pack.shape()[1]};
}

/// None, or the bounds of a power of two of parts of 0 .. extent.
void sum_parts(const KernelCall& call, SumParts bounds, std::int64_t extent) {
  if (bounds.empty()) {
    return;
  }
  require(std::has_single_bit(bounds.size() - 1),
          "Kernel {}: a sum has {} bounds of parts; expected one more than a power of two.",
          call.kernel, bounds.size());
  require(bounds.front() == 0 && bounds.back() == extent && std::ranges::is_sorted(bounds),
          "Kernel {}: the bounds of a sum's parts are [{}]; expected ascending numbers from 0 to "
          "the inner extent {}.",
          call.kernel, fmt::join(bounds, ", "), extent);
}

/// f32 beside results in f32; beside bf16 either.
void bias_beside(const KernelCall& call, ConstView bias, DType result, std::int64_t out) {
  call.optional("bias", bias, bias.dtype() == result ? result : DType::f32, {out});
}

}  // namespace

void pack_weight(const KernelCall& call, ConstView weight, PackFor /*purpose*/, DType precision,
                 const Pack& /*former*/) {
  call.rank("weight", weight, 2);
  call.tensor("weight", weight, DType::f32, weight.shape());
  const bool fits = precision == DType::f32 || (call.backend.has_bf16 && precision == DType::bf16);
  require(fits, "Kernel {}: packs weights for products in f32{}, not in {}; set precision = f32.",
          call.kernel, call.backend.has_bf16 ? " or bf16" : "", name_of(precision));
}

void linear_forward(const KernelCall& call, View y, ConstView x, const Pack& weight, SumParts parts,
                    ConstView bias, ConstView residual) {
  call.rank("x", x, 2);
  call.activations("x", x, x.shape());
  const Weight w = weight_of(call, weight, x.dtype());
  call.tensor("x", x, x.dtype(), {x.extent(0), w.in});
  call.tensor("y", y, y.dtype() == DType::f32 ? DType::f32 : x.dtype(), {x.extent(0), w.out});
  sum_parts(call, parts, w.in);
  bias_beside(call, bias, y.dtype(), w.out);
  call.optional("residual", residual, y.dtype(), y.shape());
}

void add_bias(const KernelCall& call, View y, ConstView bias, ConstView residual) {
  call.rank("y", y, 2);
  call.activations("y", y, y.shape());
  bias_beside(call, bias, y.dtype(), y.extent(1));
  call.optional("residual", residual, y.dtype(), y.shape());
}

void linear_gelu_forward(const KernelCall& call, View activated, View y, ConstView x,
                         const Pack& weight, ConstView bias, Gelu /*kind*/) {
  call.rank("x", x, 2);
  call.activations("x", x, x.shape());
  const Weight w = weight_of(call, weight, x.dtype());
  call.tensor("x", x, x.dtype(), {x.extent(0), w.in});
  call.tensor("activated", activated, x.dtype(), {x.extent(0), w.out});
  call.optional("y", y, x.dtype(), activated.shape());
  bias_beside(call, bias, x.dtype(), w.out);
}

void linear_input_gradient(const KernelCall& call, View dx, std::span<const GradientTerm> terms) {
  call.rank("dx", dx, 2);
  call.activations("dx", dx, dx.shape());
  check_that(!terms.empty(), call.kernel, "there is no term; expected one at least.");
  for (const GradientTerm& term : terms) {
    check_that(term.weight != nullptr, call.kernel, "the weight was not packed.");
    const Weight w = weight_of(call, *term.weight, dx.dtype());
    call.tensor("dy", term.dy, dx.dtype(), {dx.extent(0), w.out});
    require(w.in == dx.extent(1),
            "Kernel {}: a term's weight has {} inputs, and dx has {} columns; expected as many.",
            call.kernel, w.in, dx.extent(1));
    require(term.parts.size() == terms.front().parts.size(),
            "Kernel {}: one term has {} bounds of parts, another {}; expected as many in each.",
            call.kernel, terms.front().parts.size(), term.parts.size());
    sum_parts(call, term.parts, w.out);
  }
}

void linear_weight_gradient(const KernelCall& call, View dweight, View dbias, ConstView dy,
                            ConstView x) {
  call.rank("dweight", dweight, 2);
  call.rank("x", x, 2);
  call.tensor("dweight", dweight, DType::f32, dweight.shape());
  call.activations("x", x, {x.extent(0), dweight.extent(1)});
  call.tensor("dy", dy, x.dtype(), {x.extent(0), dweight.extent(0)});
  call.optional("dbias", dbias, DType::f32, {dweight.extent(0)});
}

}  // namespace precis::checks
