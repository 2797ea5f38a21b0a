// A small job for watchdog_test: rank 1 does what the first argument says while the others wait;
// the second argument is watchdog_seconds.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "kernels/cpu/kernels.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_communicator.hpp"
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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    return 2;
  }
  // As precis does: a SIGTERM is a flag, not an end.
  std::signal(SIGTERM, [](int) {});
  precis::MpiSession session;
  try {
    return run(argv[1], std::atof(argv[2]), session);
  } catch (const precis::AgreedError& error) {
    if (session.rank() == 0) {
      std::fprintf(stderr, "precis: %s\n", error.what());
    }
    return static_cast<int>(error.status());
  }
}
