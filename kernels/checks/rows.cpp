// Kernels that treat a tensor row by row: embedding and norms.
#include "base/error.hpp"
#include "kernels/checks/checks.hpp"

namespace precis::checks {
namespace {

void row_number(const KernelCall& call, std::int64_t first) {
  require(first >= 0, "Kernel {}: the first row is {}; expected at least 0.", call.kernel, first);
}

}  // namespace

void embedding_forward(const KernelCall& call, View out, ConstView table, ConstView tokens,
                       std::int64_t first, Write /*write*/) {
  call.rank("table", table, 2);
  call.tensor("table", table, DType::f32, table.shape());
  call.list("tokens", tokens, tokens.numel());
  call.activations("out", out, {tokens.numel(), table.extent(1)});
  row_number(call, first);
}

void embedding_backward(const KernelCall& call, View dtable, ConstView dout, ConstView tokens,
                        std::int64_t first) {
  call.rank("dtable", dtable, 2);
  call.tensor("dtable", dtable, DType::f32, dtable.shape());
  call.list("tokens", tokens, tokens.numel());
  call.activations("dout", dout, {tokens.numel(), dtable.extent(1)});
  row_number(call, first);
}

void gather_rows(const KernelCall& call, View out, ConstView x, ConstView positions) {
  call.rank("x", x, 2);
  call.list("positions", positions, positions.numel());
  call.tensor("out", out, x.dtype(), {positions.numel(), x.extent(1)});
}

void scatter_add_rows(const KernelCall& call, View out, ConstView x, ConstView positions) {
  call.rank("out", out, 2);
  call.activations("out", out, out.shape());
  call.list("positions", positions, positions.numel());
  call.tensor("x", x, out.dtype(), {positions.numel(), out.extent(1)});
}

void layer_norm_forward(const KernelCall& call, View out, View mean, View rstd, ConstView x,
                        ConstView weight, ConstView bias, double epsilon) {
  rms_norm_forward(call, out, rstd, x, weight, epsilon);
  call.tensor("mean", mean, DType::f32, {x.extent(0)});
  call.optional("bias", bias, DType::f32, {x.extent(1)});
}

void layer_norm_backward(const KernelCall& call, View dx, View dweight, View dbias, ConstView dout,
                         ConstView x, ConstView weight, ConstView mean, ConstView rstd) {
  rms_norm_backward(call, dx, dweight, dout, x, weight, rstd);
  call.tensor("mean", mean, DType::f32, {x.extent(0)});
  call.optional("dbias", dbias, DType::f32, {x.extent(1)});
}

void rms_norm_forward(const KernelCall& call, View out, View rstd, ConstView x, ConstView weight,
                      double /*epsilon*/) {
  call.rank("x", x, 2);
  call.activations("x", x, x.shape());
  call.tensor("out", out, x.dtype(), x.shape());
  call.tensor("rstd", rstd, DType::f32, {x.extent(0)});
  call.tensor("weight", weight, DType::f32, {x.extent(1)});
}

void rms_norm_backward(const KernelCall& call, View dx, View dweight, ConstView dout, ConstView x,
                       ConstView weight, ConstView rstd) {
  call.rank("x", x, 2);
  call.activations("x", x, x.shape());
  call.tensor("dx", dx, x.dtype(), x.shape());
  call.tensor("dout", dout, x.dtype(), x.shape());
  call.tensor("dweight", dweight, DType::f32, {x.extent(1)});
  call.tensor("weight", weight, DType::f32, {x.extent(1)});
  call.tensor("rstd", rstd, DType::f32, {x.extent(0)});
}

}  // namespace precis::checks
