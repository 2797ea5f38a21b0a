// What tests that run under mpirun share: the MPI session of the test program.
#pragma once

#include "parallel/mpi_session.hpp"

namespace precis {

/// The session that tests/parallel/main.cpp started; valid while tests run.
[[nodiscard]] MpiSession& test_session();

}  // namespace precis
