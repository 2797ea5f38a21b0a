#include "parallel/mpi_check.hpp"

#include <mpi.h>

#include <array>
#include <string_view>

#include "base/error.hpp"

namespace precis {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) [[likely]] {
    return;
  }
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) {
    fail("{} failed with error code {}, for which MPI has no text.", call, code);
  }
  fail("{} failed: {}", call, std::string_view(text.data(), static_cast<std::size_t>(length)));
}

}  // namespace precis
