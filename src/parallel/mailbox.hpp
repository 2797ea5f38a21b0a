// Messages of any length between the ranks of one group, sent without waiting and received in the
// order of each sender.
#pragma once

#include <list>
#include <optional>

#include "parallel/rank_group.hpp"
#include "parallel/unwinding.hpp"

namespace precis {

struct Message {
  int source = 0;
  Bytes bytes;
};

/// One tag of one group. Messages between two ranks keep their order. `flush` before destruction: a
/// message that its receiver has not taken by then is an error.
class Mailbox {
 public:
  Mailbox(RankGroup& ranks, int tag) : ranks_(ranks), tag_(tag) {}
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Returns at once and keeps the bytes until the receiver has them. At most 2 GiB - 1.
  void post(int destination, Bytes bytes);
  /// The next message from anyone, if one is here.
  [[nodiscard]] std::optional<Message> try_receive();
  /// Waits for the next message from anyone; `what` names it for the watchdog ("episodes").
  [[nodiscard]] Message receive(std::string_view what);
  /// Waits until every posted message has left.
  void flush();
  /// Posted messages that have not left yet: by which a sender bounds its memory.
  [[nodiscard]] std::size_t pending();

 private:
  struct Outgoing {
    Bytes bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  RankGroup& ranks_;
  int tag_;
  std::list<Outgoing> outgoing_;
  Unwinding unwinding_;
};

}  // namespace precis
