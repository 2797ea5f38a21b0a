// Memory of activations: takes are cheap, and everything taken after a mark is given back at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device/device.hpp"

namespace precis {

/// Grows by chunks while the sizes of a run are not known yet; the first `reset` after growing
/// joins the chunks into one, so that later steps of the same size allocate nothing.
class Workspace {
 public:
  explicit Workspace(Device& device) : device_(&device) {}

  /// Uninitialised memory, valid until the workspace goes back to a mark before it. Throws
  /// OutOfMemory.
  [[nodiscard]] View take(const Shape& shape, DType dtype = DType::f32);
  /// The same, filled with zeros.
  [[nodiscard]] View zeros(const Shape& shape, DType dtype = DType::f32);
  /// The same, with a copy of host numbers.
  template <class T>
  [[nodiscard]] View upload(std::span<const T> host) {
    View out = take(Shape{static_cast<std::int64_t>(host.size())}, dtype_of<T>);
    device_->backend().copy_to_device(device_->queue(), out, view_of(host.data(), out.shape()));
    return out;
  }
  template <class T>
  [[nodiscard]] View upload(const std::vector<T>& host) {
    return upload(std::span<const T>(host));
  }

  /// A place to go back to.
  struct Mark {
    std::size_t chunk;
    std::int64_t used;
  };
  [[nodiscard]] Mark mark() const noexcept { return {current_, used_}; }
  void release(const Mark& mark) noexcept {
    current_ = mark.chunk;
    used_ = mark.used;
  }
  /// Gives everything back.
  void reset();

  /// Held from the device, taken or not.
  [[nodiscard]] std::int64_t bytes() const;
  [[nodiscard]] Device& device() const noexcept { return *device_; }

 private:
  Device* device_;
  std::vector<Tensor> chunks_;
  std::size_t current_ = 0;
  std::int64_t used_ = 0;  ///< Bytes used of the current chunk.
};

/// Gives back at its end what was taken since its beginning.
class WorkspaceScope {
 public:
  explicit WorkspaceScope(Workspace& workspace) : workspace_(&workspace), mark_(workspace.mark()) {}
  WorkspaceScope(const WorkspaceScope&) = delete;
  WorkspaceScope& operator=(const WorkspaceScope&) = delete;
  ~WorkspaceScope() { workspace_->release(mark_); }

 private:
  Workspace* workspace_;
  Workspace::Mark mark_;
};

}  // namespace precis
