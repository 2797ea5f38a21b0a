// A backend: one const table of references to its kernels, the list of kernels.hpp. With a kernel
// or its check missing the program does not link.
#pragma once

#include <functional>
#include <string>

#include "kernels/kernels.hpp"

namespace precis {

struct Backend {
  const char* name;
  /// Whether the host runs ahead of the device: then looking at a result makes it wait, and few
  /// sizes of repeated work are better than many.
  bool runs_ahead;
  /// Whether a pack serves both products, whatever PackFor it was made for.
  bool one_pack;

  // Queues, which bring their memory, and events.
  Queue (&make_queue)();
  Event (&record)(Queue&);
  void (&wait)(Queue&, const Event&);  ///< Work put into the queue later starts after the event.
  void (&synchronize)(Queue&);         ///< The host waits until the queue is empty.
  /// Puts `work` into the queue: for one Recording always the same kernels on the same memory. From
  /// the second time on a device may start what it has recorded in place of calling `work`, which
  /// must therefore do nothing else. It is recorded anew after device memory was allocated or
  /// freed.
  void (&repeat)(Queue&, Recording&, const std::function<void()>& work);
  void (&copy_to_device)(Queue&, View out, ConstView host);
  void (&copy_to_host)(Queue&, View host, ConstView x);  ///< Returns when the host has the data.
  /// The instruction set and libraries chosen on this machine, for `--version` and the log.
  std::string (&describe)();
  /// Whether f32 rows have the same bits in any batch (CONTRACT: exactness).
  bool (&rows_are_exact)();

  // The kernels, each behind the check of its arguments (checks/checks.hpp).
#define PRECIS_MEMBER(Type, name) Type& name;
  PRECIS_KERNELS(PRECIS_MEMBER)
#undef PRECIS_MEMBER
};

}  // namespace precis
