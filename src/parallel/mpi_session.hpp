// MPI from its start to its end.
#pragma once

#include <memory>
#include <string>

#include "base/work_log.hpp"
#include "parallel/progress_board.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// Starts MPI (MPI_THREAD_MULTIPLE) and finalizes it at destruction; without mpirun it is a world
/// of one rank. One a process. Catch inside its scope: an error of one rank alone must end in
/// `abort`, because MPI_Finalize waits for the other ranks.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  [[nodiscard]] int rank() const { return world_->rank(); }
  [[nodiscard]] int size() const { return world_->size(); }
  /// Ranks that share this rank's node and memory, and this rank's place among them.
  [[nodiscard]] int node_rank() const { return node_->rank(); }
  [[nodiscard]] int node_size() const { return node_->size(); }
  [[nodiscard]] const std::string& host() const { return host_; }

  [[nodiscard]] RankGroup& world() { return *world_; }
  [[nodiscard]] RankGroup& node() { return *node_; }
  [[nodiscard]] ProgressBoard& board() { return *board_; }
  [[nodiscard]] ProgressRecord& progress() { return board_->mine(); }
  /// What this rank spends its time on, since MPI was started.
  [[nodiscard]] WorkLog& work() { return work_; }

  /// Ends the processes of all ranks; mpirun returns `status`. Only `main` and the watchdog call
  /// it.
  [[noreturn]] void abort(int status);

 private:
  WorkLog work_;
  std::string host_;
  std::unique_ptr<ProgressBoard> board_;
  std::unique_ptr<RankGroup> world_;
  std::unique_ptr<RankGroup> node_;
};

}  // namespace precis
