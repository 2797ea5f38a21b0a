#include "commands/version.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>

#include <array>
#include <boost/version.hpp>
#include <string_view>

#include "commands/commit.hpp"
#include "device/cuda_device.hpp"
#include "kernels/cpu/isa.hpp"
#include "parallel/mpi_check.hpp"

namespace precis {
namespace {

std::string mpi_version() {
  // One of the few MPI functions that may be called before MPI is started.
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  check_mpi(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  const std::string_view all(text.data(), static_cast<std::size_t>(length));
  return std::string{all.substr(0, all.find_first_of(",\n"))};
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("HDF5 {}.{}.{} (parallel)", major, minor, release);
}

}  // namespace

std::string build_text() {
  return fmt::format("precis {} (commit {}, {} {})", program_version, program_commit, compiler_name,
                     compiler_version);
}

std::string version_text() {
  const CudaAnswer cuda = find_cuda();
  return fmt::format(
      "precis {}\n"
      "commit: {}\n"
      "compiler: {} {}\n"
      "libraries: {}, {}, Boost {}.{}.{}, fmt {}.{}.{}\n"
      "instruction set in use: {}\n"
      "CUDA: {}\n",
      program_version, program_commit, compiler_name, compiler_version, mpi_version(),
      hdf5_version(), BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100,
      FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100,
      cpu::name_of(cpu::chosen_isa()),
      cuda.backend != nullptr ? cuda.backend->describe() : cuda.reason);
}

}  // namespace precis
