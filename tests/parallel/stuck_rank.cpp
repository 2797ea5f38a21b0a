// A small job for watchdog_test and size_jobs_test: rank 1 does what the first argument says while
// the others wait; the second argument is watchdog_seconds. With two arguments more, all take part
// in the operation that the first one names, with so many elements on rank 0 and on the others.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "kernels/cpu/kernels.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/tree_sum.hpp"
#include "parallel/watchdog.hpp"

namespace {

using namespace precis;  // NOLINT(google-build-using-namespace): a test program

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void misbehave(const std::string& how, double seconds, MpiSession& session, Communicator& data,
               Queue& queue) {
  session.progress().tick("ppo update");
  if (how == "stopped") {
    raise(SIGSTOP);
  } else if (how == "killed") {
    sleep_for(0.5);
    raise(SIGKILL);
  } else if (how == "silent") {
    sleep_for(1000.0);
  } else if (how == "slow") {
    for (int i = 0; i < 30; ++i) {
      session.progress().tick("ppo update");
      sleep_for(seconds / 10.0);
    }
  } else if (how == "deadlock") {
    std::byte byte{};
    data.receive(queue, View(&byte, DType::u8, Shape{1}), 0, 3);
  } else if (how == "ended") {
    session.progress().end();
    session.progress().enter("world", "barrier");  // by the thread that works meanwhile
    std::_Exit(75);
  } else if (how == "local_error") {
    sleep_for(0.5);
    std::fputs("precis: the one message of rank 1\n", stderr);
    session.abort(1);
  }
}

int run(const std::string& how, double seconds, MpiSession& session) {
  const Watchdog watchdog(session, seconds);
  MpiCommunicator data(session.world());
  Queue queue = cpu::backend.make_queue();
  session.world().barrier();
  if (how == "agreed_error") {
    collectively(session.world(), [&] {
      if (session.rank() == 1) {
        fail_usage("the grid of rank 1 is wrong");
      }
    });
  }
  if (how == "left") {
    // Rank 1 has done its work and waits for the end of the command; rank 0 expects more of it.
    if (session.rank() == 0) {
      std::byte byte{};
      data.receive(queue, View(&byte, DType::u8, Shape{1}), 1, 3);
    }
    return 0;
  }
  if (session.rank() == 1) {
    misbehave(how, seconds, session, data, queue);
  }
  return all_sum(session.world(), 1.0) == session.size() ? 0 : 1;
}

/// One operation over all ranks; each says when it has a result.
int run_operation(const std::string& operation, double seconds, std::int64_t of_first,
                  std::int64_t of_others, MpiSession& session) {
  const Watchdog watchdog(session, seconds);
  const auto group = session.world().duplicate("training.tp");
  MpiCommunicator ranks(*group);
  Device device(cpu::backend);
  Queue& queue = device.queue();
  const bool first = session.rank() == 0;
  const std::int64_t count = first ? of_first : of_others;
  // With room for what is longer: some of MPI's ways write beyond a receive before they say so.
  const auto room = static_cast<std::size_t>(std::max(of_first, of_others));
  std::vector<float> whole(room, 1.0F);
  std::vector<float> part(room, 1.0F);
  const View all = view_of(whole).rows(0, count);
  const View mine = view_of(part).rows(0, count / ranks.size());
  if (operation == "broadcast") {
    ranks.broadcast(queue, all, 0);
  } else if (operation == "started broadcast") {
    ranks.start_broadcast(queue, all, 0).wait();
  } else if (operation == "started all-reduce") {
    ranks.start_all_reduce(queue, all, Reduction::sum).wait();
  } else if (operation == "started all-gather") {
    ranks.start_all_gather(queue, all, mine).wait();
  } else if (operation == "started reduce-scatter") {
    ranks.start_reduce_scatter(queue, mine, all, Reduction::sum).wait();
  } else if (operation == "tree sum") {
    sum_in_tree(device, ranks, all);
  } else if (first) {
    ranks.send(queue, all, 1, 3);
  } else {
    ranks.receive(queue, all, 0, 3);
  }
  std::printf("rank %d has a result\n", session.rank());
  std::fflush(stdout);
  session.world().barrier();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    return 2;
  }
  // As precis does: a SIGTERM is a flag, not an end.
  std::signal(SIGTERM, [](int) {});
  precis::MpiSession session;
  try {
    return argc == 3 ? run(argv[1], std::atof(argv[2]), session)
                     : run_operation(argv[1], std::atof(argv[2]), std::atoll(argv[3]),
                                     std::atoll(argv[4]), session);
  } catch (const precis::AgreedError& error) {
    if (session.rank() == 0) {
      std::fprintf(stderr, "precis: %s\n", error.what());
    }
    return static_cast<int>(error.status());
  } catch (const precis::Error& error) {
    // As precis does.
    if (session.board().claim_report()) {
      std::fprintf(stderr, "precis: rank %d: %s\n", session.rank(), error.what());
    }
    session.abort(1);
  }
}
