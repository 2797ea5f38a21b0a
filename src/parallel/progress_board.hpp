// The progress records of all ranks of one node, in one small mapped file.
#pragma once

#include <mpi.h>

#include <atomic>
#include <cstdint>

#include "parallel/progress_record.hpp"

namespace precis {

/// Owns the mapping. The file loses its name as soon as every rank of the node has mapped it, so
/// that nothing is left behind however the job ends.
class ProgressBoard {
 public:
  /// Collective over `node`, whose ranks share memory. Throws Error where the file cannot be made
  /// in /dev/shm or $TMPDIR.
  ProgressBoard(MPI_Comm node, int world_rank, const std::string& host);
  ~ProgressBoard();
  ProgressBoard(const ProgressBoard&) = delete;
  ProgressBoard& operator=(const ProgressBoard&) = delete;

  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] ProgressRecord& mine() { return records_[mine_]; }
  [[nodiscard]] const ProgressRecord& mine() const { return records_[mine_]; }
  [[nodiscard]] const ProgressRecord& of_node_rank(int node_rank) const {
    return records_[node_rank];
  }

  /// True for the first caller of the node: the one rank that reports and ends the job.
  [[nodiscard]] bool claim_report();
  /// When the report was claimed; 0 while it is not.
  [[nodiscard]] std::int64_t report_claimed() const { return report_->load(); }

 private:
  int size_ = 0;
  int mine_ = 0;
  void* mapping_ = nullptr;
  std::size_t bytes_ = 0;
  std::atomic<std::int64_t>* report_ = nullptr;
  ProgressRecord* records_ = nullptr;
};

}  // namespace precis
