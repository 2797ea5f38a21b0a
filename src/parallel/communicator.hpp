// Communication of tensors between the ranks of one group, in the order of a queue: collectives and
// messages on views.
#pragma once

#include <memory>
#include <string>

#include "kernels/queue.hpp"
#include "kernels/view.hpp"
#include "parallel/rank_group.hpp"
#include "parallel/started_operation.hpp"

namespace precis {

/// The operations on data of one group of ranks. An operation takes its place in `queue`, behind
/// the work that is there; the views are in that queue's memory. Each comes in two forms: blocking,
/// after which work put into the queue sees the result, and started, to be waited for.
///
/// All ranks of the group call the same operations in the same form and order, with the same dtype
/// and number of elements; messages are matched by ranks and tag. Every operation is entered in the
/// progress record, and throws Error with the library's own message. In a group of one
/// rank all-reduce and broadcast do nothing. A sum has the same bits on every rank, but in which
/// order it is formed is up to the library, and may differ between the two forms.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] int rank() const noexcept { return group_.rank(); }
  [[nodiscard]] int size() const noexcept { return group_.size(); }
  [[nodiscard]] const std::string& name() const noexcept { return group_.name(); }
  [[nodiscard]] ProgressRecord& progress() noexcept { return group_.progress(); }
  /// What this rank spends its time on, and as what the operations are counted there: by the axis,
  /// which is the end of the name (".tp", ".pp"; else data).
  [[nodiscard]] WorkLog& work() noexcept { return group_.work(); }
  [[nodiscard]] WorkKind kind() const noexcept { return kind_; }
  /// The same ranks, for control.
  [[nodiscard]] RankGroup& group() noexcept { return group_; }

  /// Elementwise over the ranks, in place; f32, f64, i32 or i64.
  void all_reduce(Queue& queue, View values, Reduction reduction);
  [[nodiscard]] StartedOperation start_all_reduce(Queue& queue, View values, Reduction reduction);
  /// `values` is one part for each rank, in the order of ranks; `out` becomes this rank's part,
  /// reduced over the ranks. The two do not overlap. f32, f64, i32 or i64.
  void reduce_scatter(Queue& queue, View out, ConstView values, Reduction reduction);
  [[nodiscard]] StartedOperation start_reduce_scatter(Queue& queue, View out, ConstView values,
                                                      Reduction reduction);
  /// `out` becomes every rank's `mine`, in the order of ranks; any dtype. `mine` may be this rank's
  /// part of `out`, but does not overlap it otherwise.
  void all_gather(Queue& queue, View out, ConstView mine);
  [[nodiscard]] StartedOperation start_all_gather(Queue& queue, View out, ConstView mine);
  /// From rank `root` to all; any dtype.
  void broadcast(Queue& queue, View values, int root);
  [[nodiscard]] StartedOperation start_broadcast(Queue& queue, View values, int root);
  /// Matches the `receive` with the same tag and number of bytes on rank `destination`; any dtype.
  void send(Queue& queue, ConstView values, int destination, int tag);
  [[nodiscard]] StartedOperation start_send(Queue& queue, ConstView values, int destination,
                                            int tag);
  void receive(Queue& queue, View values, int source, int tag);
  [[nodiscard]] StartedOperation start_receive(Queue& queue, View values, int source, int tag);

 protected:
  /// `group` must outlive the communicator.
  explicit Communicator(RankGroup& group);

  /// Whether the caller waits at once, or goes on and asks again and again.
  enum class Form { blocking, started };

 private:
  // What a kind of communicator does, with arguments that have been checked; null: it is done.
  virtual std::unique_ptr<Transfer> begin_all_reduce(Queue& queue, View values, Reduction reduction,
                                                     Form form) = 0;
  virtual std::unique_ptr<Transfer> begin_reduce_scatter(Queue& queue, View out, ConstView values,
                                                         Reduction reduction, Form form) = 0;
  virtual std::unique_ptr<Transfer> begin_all_gather(Queue& queue, View out, ConstView mine,
                                                     Form form) = 0;
  virtual std::unique_ptr<Transfer> begin_broadcast(Queue& queue, View values, int root,
                                                    Form form) = 0;
  virtual std::unique_ptr<Transfer> begin_send(Queue& queue, ConstView values, int destination,
                                               int tag) = 0;
  virtual std::unique_ptr<Transfer> begin_receive(Queue& queue, View values, int source,
                                                  int tag) = 0;

  // The checks, and the two forms of each operation in one.
  StartedOperation all_reduce_as(Form form, Queue& queue, View values, Reduction reduction);
  StartedOperation reduce_scatter_as(Form form, Queue& queue, View out, ConstView values,
                                     Reduction reduction);
  StartedOperation all_gather_as(Form form, Queue& queue, View out, ConstView mine);
  StartedOperation broadcast_as(Form form, Queue& queue, View values, int root);
  StartedOperation send_as(Form form, Queue& queue, ConstView values, int destination, int tag);
  StartedOperation receive_as(Form form, Queue& queue, View values, int source, int tag);
  template <class Begin>
  StartedOperation begun(Form form, std::string operation, std::int64_t bytes, Begin&& begin);
  void require_rank(const char* operation, int rank) const;

  RankGroup& group_;
  WorkKind kind_;
};

}  // namespace precis
