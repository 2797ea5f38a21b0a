// The mpirun that started this process, for messages about signals.
#pragma once

#include <sys/types.h>

#include <optional>

namespace precis {

struct Mpirun {
  pid_t process = 0;      ///< 0: on another node
  bool terminal = false;  ///< it has one, so that Ctrl-C reaches it; false also where not known
};

/// Nothing if this process was started otherwise: alone, or by srun.
[[nodiscard]] std::optional<Mpirun> find_mpirun();

}  // namespace precis
