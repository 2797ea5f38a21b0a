// The check around every MPI call: throws with MPI's own text.
#pragma once

namespace precis {

/// Throws Error "CALL failed: text of MPI_Error_string" unless `code` is MPI_SUCCESS. `call` is the
/// name of the MPI function.
void check_mpi(int code, const char* call);

}  // namespace precis
