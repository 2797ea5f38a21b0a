#include "parallel/mailbox.hpp"

#include <limits>

#include "base/error.hpp"
#include "parallel/mpi_check.hpp"
#include "parallel/waiting.hpp"

namespace precis {

Mailbox::~Mailbox() {
  // Messages remain only when an error ends the rank. MPI may still read the bytes of those that
  // have not left until the process ends, so they outlive this object on purpose. While an
  // exception is on its way MPI is not even asked: it would move on what others have begun, in
  // memory that may be gone.
  if (!unwinding_.now()) {
    outgoing_.remove_if([](Outgoing& message) {
      int done = 0;
      return MPI_Test(&message.request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done != 0;
    });
  }
  if (!outgoing_.empty()) {
    static_cast<void>(new std::list<Outgoing>(std::move(outgoing_)));
  }
}

void Mailbox::post(int destination, Bytes bytes) {
  require(bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()),
          "A message of {} bytes to rank {} of '{}' is longer than 2 GiB - 1; send it as a view.",
          bytes.size(), destination, ranks_.name());
  const WorkScope scope(ranks_.work(), {.kind = WorkKind::data_communication,
                                        .name = fmt::format("message to rank {}", destination),
                                        .group = ranks_.name(),
                                        .bytes = static_cast<std::int64_t>(bytes.size())});
  Outgoing& message = outgoing_.emplace_back(Outgoing{.bytes = std::move(bytes)});
  check_mpi(MPI_Isend(message.bytes.data(), static_cast<int>(message.bytes.size()), MPI_BYTE,
                      destination, tag_, ranks_.handle(), &message.request),
            "MPI_Isend");
}

std::size_t Mailbox::pending() {
  outgoing_.remove_if([](Outgoing& message) {
    int done = 0;
    check_mpi(MPI_Test(&message.request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    return done != 0;
  });
  return outgoing_.size();
}

std::optional<Message> Mailbox::try_receive() {
  // Also advances this mailbox's own messages, and frees those that have left.
  static_cast<void>(pending());
  int found = 0;
  MPI_Message handle = MPI_MESSAGE_NULL;
  MPI_Status status;
  check_mpi(MPI_Improbe(MPI_ANY_SOURCE, tag_, ranks_.handle(), &found, &handle, &status),
            "MPI_Improbe");
  if (found == 0) {
    return std::nullopt;
  }
  int count = 0;
  check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
  Message message{.source = status.MPI_SOURCE, .bytes = Bytes(static_cast<std::size_t>(count))};
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Imrecv(message.bytes.data(), count, MPI_BYTE, &handle, &request), "MPI_Imrecv");
  wait_until(ranks_, fmt::format("receive from rank {}", message.source),
             [&] {
               int done = 0;
               check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
               return done != 0;
             },
             {.kind = WorkKind::data_communication, .bytes = count});
  return message;
}

Message Mailbox::receive(std::string_view what) {
  std::optional<Message> message;
  while (!message) {
    wait_until(ranks_, fmt::format("wait for {}", what), [&] {
      static_cast<void>(pending());
      int found = 0;
      check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, tag_, ranks_.handle(), &found, MPI_STATUS_IGNORE),
                "MPI_Iprobe");
      return found != 0;
    });
    message = try_receive();
  }
  return *std::move(message);
}

void Mailbox::flush() {
  wait_until(ranks_, "delivery of messages", [&] { return pending() == 0; });
}

}  // namespace precis
