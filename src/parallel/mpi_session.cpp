#include "parallel/mpi_session.hpp"

#include <array>
#include <cstdlib>

#include "base/error.hpp"
#include "parallel/mpi_check.hpp"

namespace precis {

namespace {

std::string processor_name() {
  std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
  int length = 0;
  check_mpi(MPI_Get_processor_name(name.data(), &length), "MPI_Get_processor_name");
  return {name.data(), static_cast<std::size_t>(length)};
}

}  // namespace

MpiSession::MpiSession() {
  const WorkScope start(work_, {.kind = WorkKind::input, .name = "start of MPI"});
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  require(provided == MPI_THREAD_MULTIPLE,
          "This MPI library grants thread level {}, but precis needs MPI_THREAD_MULTIPLE ({}) for "
          "its watchdog. Use an MPI built with thread support.",
          provided, MPI_THREAD_MULTIPLE);
  host_ = processor_name();
  int rank = 0;
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");

  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  MPI_Comm world = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &world), "MPI_Comm_dup");
  board_ = std::make_unique<ProgressBoard>(node, rank, host_);
  node_ = std::make_unique<RankGroup>(node, "node", board_->mine(), work_);
  world_ = std::make_unique<RankGroup>(world, "world", board_->mine(), work_);
}

MpiSession::~MpiSession() {
  node_.reset();
  world_.reset();
  MPI_Finalize();
}

void MpiSession::abort(int status) {
  // The one message of this failure has been printed; the watchdogs of the other ranks would
  // otherwise add that this process is gone.
  static_cast<void>(board_->claim_report());
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace precis
