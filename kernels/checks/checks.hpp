// The checks of every kernel's arguments: shapes, element types and ranges. A backend's table calls
// them before its kernels (table.hpp); a kernel itself checks only what its backend cannot do.
#pragma once

#include <type_traits>

#include "kernels/kernels.hpp"

namespace precis {

/// What may be asked of a backend's kernels.
struct Capabilities {
  bool has_bf16 = false;  ///< Activations may be in bf16.
  /// The host reads what kernels read: the numbers in offsets, slots, tables and lengths are
  /// checked too.
  bool reads_lists = false;
};

/// What is called: the kernel's name, for messages, and its backend's capabilities. All throw Error
/// with "Kernel NAME: ...".
struct KernelCall {
  const char* kernel;
  Capabilities backend;

  void rank(const char* argument, ConstView x, int axes) const;
  void tensor(const char* argument, ConstView x, DType dtype, const Shape& shape) const;
  /// A tensor that may be left out.
  void optional(const char* argument, ConstView x, DType dtype, const Shape& shape) const;
  /// f32, or bf16 where the backend has it.
  void activations(const char* argument, ConstView x, const Shape& shape) const;
  /// A list that names rows or tokens: i32, one axis.
  void list(const char* argument, ConstView x, std::int64_t length) const;
  /// Parts of an index 0 .. length.
  void parts(const char* argument, SumParts parts, std::int64_t length) const;
};

template <class Kernel>
struct CheckOfKernel;
template <class Result, class... Arguments>
struct CheckOfKernel<Result(Queue&, Arguments...)> {
  template <class Argument>
  using Seen =
      std::conditional_t<std::is_trivially_copyable_v<Argument>, Argument, const Argument&>;
  using type = void(const KernelCall&, Seen<Arguments>...);
};
/// The function type of the check of a kernel: its arguments after the queue.
template <class Kernel>
using CheckOf = typename CheckOfKernel<Kernel>::type;

/// The check of each kernel, under its name. Throws Error unless the arguments are those that
/// kernels.hpp asks for.
namespace checks {

#define PRECIS_CHECK(Type, name) CheckOf<Type> name;
PRECIS_KERNELS(PRECIS_CHECK)
#undef PRECIS_CHECK

}  // namespace checks
}  // namespace precis
