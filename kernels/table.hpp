// What the table of a backend is made from (table.inc): its kernels behind the checks of their
// arguments.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/backend.hpp"
#include "kernels/check.hpp"
#include "kernels/checks/checks.hpp"

namespace precis {

/// A kernel's name as an argument of a template.
template <std::size_t size>
struct KernelName {
  char text[size];
  // NOLINTNEXTLINE(google-explicit-constructor,hicpp-explicit-conversions)
  consteval KernelName(const char (&name)[size]) { std::copy_n(name, size, text); }
};

template <class Kernel>
struct Checked;
template <class Result, class... Arguments>
struct Checked<Result(Queue&, Arguments...)> {
  /// The kernel, after the check of its arguments.
  template <KernelName name, Capabilities backend, CheckOf<Result(Queue&, Arguments...)>& check,
            Result (&kernel)(Queue&, Arguments...)>
  static Result call(Queue& queue, Arguments... arguments) {
    check(KernelCall{name.text, backend}, arguments...);
    return kernel(queue, std::forward<Arguments>(arguments)...);
  }
};

/// A copy between host and device, of one shape and element type.
template <void (&copy)(Queue&, View, ConstView)>
void checked_copy(Queue& queue, View out, ConstView x) {
  check_copy(out, x);
  copy(queue, out, x);
}

}  // namespace precis
