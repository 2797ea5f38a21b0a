// Communication of tensors in host memory by MPI.
#pragma once

#include "parallel/communicator.hpp"
#include "parallel/mpi_transfer.hpp"

namespace precis {

/// Takes only queues whose memory is the host's; their kernels run at once, so that nothing has to
/// be waited for before MPI reads. Owns a copy of the group's MPI_Comm, so that data and control do
/// not meet; it is freed as the group's is.
class MpiCommunicator final : public Communicator {
 public:
  /// Collective over `group`.
  explicit MpiCommunicator(RankGroup& group);
  ~MpiCommunicator() override;

 private:
  std::unique_ptr<Transfer> begin_all_reduce(Queue& queue, View values, Reduction reduction,
                                             Form form) override;
  std::unique_ptr<Transfer> begin_reduce_scatter(Queue& queue, View out, ConstView values,
                                                 Reduction reduction, Form form) override;
  std::unique_ptr<Transfer> begin_all_gather(Queue& queue, View out, ConstView mine,
                                             Form form) override;
  std::unique_ptr<Transfer> begin_broadcast(Queue& queue, View values, int root,
                                            Form form) override;
  std::unique_ptr<Transfer> begin_send(Queue& queue, ConstView values, int destination,
                                       int tag) override;
  std::unique_ptr<Transfer> begin_receive(Queue& queue, View values, int source, int tag) override;
  void require_host_memory(const Queue& queue) const;
  [[nodiscard]] Meeting meeting(const char* operation, const std::string& arguments,
                                std::int64_t bytes) const;

  MPI_Comm comm_ = MPI_COMM_NULL;
  Unwinding unwinding_;
};

}  // namespace precis
