// The workspaces that parts of one rank's work share, since they run one after another.
#pragma once

#include <memory>
#include <vector>

#include "device/workspace.hpp"

namespace precis {

/// Training passes, forward passes and generation on one device: each begins by resetting the
/// workspaces that it uses, and nothing in them outlives it. So one arena holds as much as the
/// largest of those that share it, not as all of them.
class Arena {
 public:
  explicit Arena(Device& device)
      : device_(&device), backward_(device), recomputed_(device), gathered_(device) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// What a micro-batch in flight keeps between its forward and its backward pass, by its slot;
  /// that of slot 0 is also for passes that keep nothing.
  [[nodiscard]] Workspace& slot(int slot);
  /// What a backward pass needs beside that.
  [[nodiscard]] Workspace& backward() noexcept { return backward_; }
  /// What is kept between the two halves of a backward pass, by number.
  [[nodiscard]] Workspace& deferred(int number);
  /// For activations that are not kept but computed again.
  [[nodiscard]] Workspace& recomputed() noexcept { return recomputed_; }
  /// For what a layer gathers from other ranks while it runs.
  [[nodiscard]] Workspace& gathered() noexcept { return gathered_; }

  /// Held from the device, taken or not.
  [[nodiscard]] std::int64_t bytes() const;

 private:
  [[nodiscard]] Workspace& numbered(std::vector<std::unique_ptr<Workspace>>& all, int number);

  Device* device_;
  std::vector<std::unique_ptr<Workspace>> slots_, deferred_;
  Workspace backward_, recomputed_, gathered_;
};

/// The arena that is given, or a new one where work shares its memory with no other.
[[nodiscard]] std::shared_ptr<Arena> shared_or_own(std::shared_ptr<Arena> arena, Device& device);

}  // namespace precis
