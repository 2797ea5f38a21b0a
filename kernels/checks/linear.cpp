// Packed weights and the products with them.
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

void linear_forward(const KernelCall& call, View y, ConstView x, const Pack& weight, ConstView bias,
                    ConstView residual) {
  call.rank("x", x, 2);
  call.activations("x", x, x.shape());
  const Weight w = weight_of(call, weight, x.dtype());
  call.tensor("x", x, x.dtype(), {x.extent(0), w.in});
  call.tensor("y", y, y.dtype() == DType::f32 ? DType::f32 : x.dtype(), {x.extent(0), w.out});
  bias_beside(call, bias, y.dtype(), w.out);
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

void linear_input_gradient(const KernelCall& call, View dx, ConstView dy, const Pack& weight,
                           Write /*write*/) {
  call.rank("dy", dy, 2);
  call.activations("dy", dy, dy.shape());
  const Weight w = weight_of(call, weight, dy.dtype());
  call.tensor("dy", dy, dy.dtype(), {dy.extent(0), w.out});
  call.tensor("dx", dx, dy.dtype(), {dy.extent(0), w.in});
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
