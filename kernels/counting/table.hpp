// What the counting backends' tables share: kernels that do nothing. A backend in a namespace of
// its own hides those that take memory.
#pragma once

#include "kernels/backend.hpp"
#include "kernels/counting/queue.hpp"
#include "kernels/table.hpp"

namespace precis::counting {

template <class Kernel>
struct Nothing;
template <class Result, class... Arguments>
struct Nothing<Result(Arguments...)> {
  static Result call(Arguments... /*unused*/) { return Result(); }
};
#define PRECIS_NOTHING(Type, name) inline constexpr Type& name = Nothing<Type>::call;
PRECIS_KERNELS(PRECIS_NOTHING)
#undef PRECIS_NOTHING

inline Event record(Queue& /*queue*/) { return Event(nullptr); }
inline void wait(Queue& /*queue*/, const Event& /*event*/) {}
inline void synchronize(Queue& /*queue*/) {}
inline void repeat(Queue& /*queue*/, Recording& /*recording*/, const std::function<void()>& work) {
  work();
}
inline void copy_to_host(Queue& /*queue*/, View /*host*/, ConstView /*x*/) {}
inline std::string describe() { return "memory only"; }
inline bool rows_are_exact() { return true; }

}  // namespace precis::counting
