// The order in which a device runs kernels: a stream on a GPU, "at once" on the CPU.
#pragma once

#include <memory>
#include <utility>

#include "kernels/memory.hpp"

namespace precis {

/// Kernels given the same Queue run in the order of the calls. What a backend keeps for a queue (a
/// CUDA stream; scratch memory) is behind `state`, which only that backend looks into. One host
/// thread at a time may use a queue and its memory.
class Queue {
 public:
  explicit Queue(std::shared_ptr<Memory> memory, std::shared_ptr<void> state = nullptr)
      : memory_(std::move(memory)), state_(std::move(state)) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  Queue(Queue&&) noexcept = default;
  Queue& operator=(Queue&&) noexcept = default;
  ~Queue() = default;

  /// The memory that its kernels work on.
  [[nodiscard]] const std::shared_ptr<Memory>& memory() const noexcept { return memory_; }
  template <class State>
  [[nodiscard]] State& state() const {
    return *static_cast<State*>(state_.get());
  }

 private:
  std::shared_ptr<Memory> memory_;
  std::shared_ptr<void> state_;
};

/// A point in a queue that another queue, or the host, can wait for.
class Event {
 public:
  explicit Event(std::shared_ptr<void> state) : state_(std::move(state)) {}

  template <class State>
  [[nodiscard]] State& state() const {
    return *static_cast<State*>(state_.get());
  }

 private:
  std::shared_ptr<void> state_;
};

/// Work that is put into a queue again and again (Backend::repeat); empty before the first time.
class Recording {
 public:
  /// For the backend: its own state, created when it is first asked for.
  template <class State>
  [[nodiscard]] State& state() {
    if (state_ == nullptr) {
      state_ = std::make_shared<State>();
    }
    return *static_cast<State*>(state_.get());
  }

 private:
  std::shared_ptr<void> state_;
};

/// A weight matrix in a backend's own layout (blocked on the CPU; on a GPU the matrix itself in
/// f32, a rounded copy in bf16). Logically (out, in), whatever product it was packed for.
class Pack {
 public:
  Pack() = default;
  /// A pack of a weight of this shape, for activations in `precision`.
  Pack(std::shared_ptr<void> state, const Shape& shape, DType precision)
      : state_(std::move(state)), shape_(shape), precision_(precision) {}

  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] DType precision() const noexcept { return precision_; }
  [[nodiscard]] bool empty() const noexcept { return state_ == nullptr; }
  template <class State>
  [[nodiscard]] const State& state() const {
    return *static_cast<const State*>(state_.get());
  }
  /// For the backend: the pack's content, to be filled anew; null if another copy of it is in use.
  template <class State>
  [[nodiscard]] std::shared_ptr<State> release() && {
    return state_.use_count() == 1 ? std::static_pointer_cast<State>(std::move(state_)) : nullptr;
  }

 private:
  std::shared_ptr<void> state_;
  Shape shape_;
  DType precision_ = DType::f32;
};

}  // namespace precis
