#include "parallel/watchdog.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <vector>

#include "base/error.hpp"

namespace precis {

namespace {

constexpr auto longest_period = std::chrono::milliseconds(200);
/// mpirun needs this long at most to end its processes; after it the watchdog ends them itself.
constexpr auto patience_after_abort = std::chrono::seconds(10);
/// How much longer a rank waits with its report when a lower rank of the node could give it.
constexpr double courtesy_seconds = 1.0;
/// With the head and the last line, a report stays within twelve lines.
constexpr std::size_t most_ranks_named = 9;

double seconds_since(std::int64_t nanoseconds) {
  return std::max(0.0, static_cast<double>(monotonic_nanoseconds() - nanoseconds) * 1e-9);
}

double seconds_of(std::chrono::seconds duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string who(const ProgressRecord& record) {
  return fmt::format("rank {} (pid {} on {})", record.rank(), record.process().pid, record.host());
}

std::string last_operation(const ProgressRecord& record) {
  if (record.sequence() == 0) {
    return "it had entered no operation yet";
  }
  return fmt::format("its last operation, number {}, was {} on '{}'", record.sequence(),
                     record.operation(), record.communicator());
}

bool has_left(ProgressRecord::State state) {
  return state == ProgressRecord::State::finished || state == ProgressRecord::State::ended;
}

/// Whether a rank of the node has ended the job, for a reason that it has told.
bool job_was_ended(const ProgressBoard& board) {
  for (int mate = 0; mate < board.size(); ++mate) {
    if (board.of_node_rank(mate).state() == ProgressRecord::State::ended) {
      return true;
    }
  }
  return false;
}

/// One line on a rank that others wait for.
std::string what_it_does(const ProgressRecord& record) {
  const double silent = seconds_since(record.progressed());
  switch (record.state()) {
    case ProgressRecord::State::finished:
      return fmt::format("{} has finished; {}.", who(record), last_operation(record));
    case ProgressRecord::State::ended:
      return fmt::format("{} has ended; {}.", who(record), last_operation(record));
    case ProgressRecord::State::absent:
      return "a rank of this node has not started.";
    case ProgressRecord::State::waiting:
    case ProgressRecord::State::computing:
      break;
  }
  const char* const stopped =
      state_of(record.process()) == ProcessState::stopped ? " and is stopped by a signal" : "";
  if (record.state() == ProgressRecord::State::waiting) {
    return fmt::format(
        "{} entered {} on '{}' (operation {}) {:.1f} s ago{}; last sign of life {:.1f} s ago.",
        who(record), record.operation(), record.communicator(), record.sequence(),
        seconds_since(record.entered()), stopped, silent);
  }
  return fmt::format("{} is in '{}' without a sign of life for {:.1f} s{}; {}.", who(record),
                     record.phase(), silent, stopped, last_operation(record));
}

/// SIGKILL to the other ranks of the node, if they are still the processes that started them.
void kill_node_mates(ProgressBoard& board) {
  const ProcessIdentity self = this_process();
  for (int mate = 0; mate < board.size(); ++mate) {
    const ProgressRecord& record = board.of_node_rank(mate);
    const ProcessIdentity process = record.process();
    if (&record == &board.mine() || process.user != self.user) {
      continue;
    }
    const ProcessState state = state_of(process);
    if (state == ProcessState::running || state == ProcessState::stopped) {
      kill(static_cast<pid_t>(process.pid), SIGKILL);
    }
  }
}

/// One write, so that the lines of several processes do not mix.
void print_to_stderr(const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(STDERR_FILENO, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR) {
      return;
    }
    written += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
}

}  // namespace

Watchdog::Watchdog(MpiSession& session, double seconds) : session_(session), seconds_(seconds) {
  if (!(seconds >= 0.0) || std::isinf(seconds)) {
    fail_usage("watchdog_seconds is {}; give a number of seconds, or 0 to turn the watchdog off.",
               seconds);
  }
  if (seconds_ == 0.0 || session_.size() == 1) {
    return;
  }
  end_ = session_.world().duplicate("end of the command");
  // Signals are for the main thread, whose handlers set flags: the new thread inherits this mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  require(pthread_sigmask(SIG_SETMASK, &all, &before) == 0, "pthread_sigmask failed.");
  thread_ = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
  if (end_ && !unwinding_.now()) {
    try {
      end_->barrier();
    } catch (const std::exception&) {
      // The ranks could not meet: the end of MPI, which follows, says so in its own words.
    }
  }
  session_.progress().finish();
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
}

void Watchdog::watch() {
  const auto period = std::min<std::chrono::nanoseconds>(
      longest_period, std::chrono::nanoseconds(static_cast<std::int64_t>(seconds_ * 1e8)));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, period, [this] { return stop_; })) {
    const std::int64_t claimed = session_.board().report_claimed();
    if (claimed != 0) {
      // Another rank reports. If that does not end the job, this rank ends it.
      if (seconds_since(claimed) > 1.5 * seconds_of(patience_after_abort)) {
        std::_Exit(static_cast<int>(ExitStatus::failed));
      }
      continue;
    }
    const std::string message = find_trouble();
    if (!message.empty() && session_.board().claim_report()) {
      end_job(message);
    }
  }
}

std::string Watchdog::find_trouble() const {
  ProgressBoard& board = session_.board();
  const ProgressRecord& mine = board.mine();
  const bool waiting = mine.state() == ProgressRecord::State::waiting;
  const double waited = seconds_since(mine.entered());

  std::vector<const ProgressRecord*> silent;
  std::vector<const ProgressRecord*> waiting_too;
  bool somebody_works = false;
  bool lower_rank_reports = false;
  for (int mate = 0; mate < board.size(); ++mate) {
    const ProgressRecord& record = board.of_node_rank(mate);
    const ProgressRecord::State state = record.state();
    if (&record == &mine || state == ProgressRecord::State::absent) {
      continue;
    }
    if (state == ProgressRecord::State::ended &&
        seconds_since(record.progressed()) > seconds_of(patience_after_abort)) {
      return fmt::format(
          "precis: {} has ended the job, but what started the ranks leaves the others. All ranks "
          "are ended now.\n",
          who(record));
    }
    if (has_left(state)) {
      waiting_too.push_back(&record);
      continue;
    }
    const ProcessState process = state_of(record.process());
    // The states are read again: a rank that finished in between is gone without an error, and so
    // is one that the launcher ended because another rank had ended the job.
    if (process == ProcessState::gone && !has_left(record.state()) && !job_was_ended(board)) {
      return fmt::format(
          "precis: {} is gone before its work was done; it was last in '{}', and {}, entered "
          "{:.1f} s ago. {} {}. All ranks are ended now. If the system killed it, the reason may "
          "be memory: see the log of {}.\n",
          who(record), record.phase(), last_operation(record), seconds_since(record.entered()),
          fmt::format("Rank {} noticed it", mine.rank()),
          waiting
              ? fmt::format("while waiting in {} on '{}'", mine.operation(), mine.communicator())
              : fmt::format("while in '{}'", mine.phase()),
          record.host());
    }
    if (seconds_since(record.progressed()) > seconds_) {
      silent.push_back(&record);
    } else if (state == ProgressRecord::State::waiting &&
               seconds_since(record.entered()) > seconds_) {
      waiting_too.push_back(&record);
      lower_rank_reports = lower_rank_reports || mate < session_.node_rank();
    } else {
      somebody_works = true;
    }
  }
  if (!waiting || waited <= seconds_ || (silent.empty() && somebody_works) ||
      (lower_rank_reports && waited <= seconds_ + courtesy_seconds)) {
    return {};
  }

  std::string message = fmt::format(
      "precis: {} has waited {:.1f} s in {} on '{}' (operation {}), longer than watchdog_seconds = "
      "{}.\n",
      who(mine), waited, mine.operation(), mine.communicator(), mine.sequence(), seconds_);
  const std::vector<const ProgressRecord*>& named = silent.empty() ? waiting_too : silent;
  for (std::size_t i = 0; i < std::min(named.size(), most_ranks_named); ++i) {
    message += fmt::format("  {}\n", what_it_does(*named[i]));
  }
  if (named.size() > most_ranks_named) {
    message += fmt::format("  and {} more ranks of {}\n", named.size() - most_ranks_named,
                           session_.host());
  }
  if (silent.empty()) {
    message += session_.size() > session_.node_size()
                   ? "  All ranks of this node wait: look for the cause on the other nodes. "
                   : "  All ranks wait for each other. ";
  } else {
    message += "  ";
  }
  return message + "All ranks are ended now.\n";
}

void Watchdog::end_job(const std::string& message) {
  print_to_stderr(message);
  // In a thread of its own, because MPI_Abort may wait for a process that is stopped.
  std::thread([] { MPI_Abort(MPI_COMM_WORLD, static_cast<int>(ExitStatus::failed)); }).detach();
  std::this_thread::sleep_for(patience_after_abort);
  kill_node_mates(session_.board());
  std::_Exit(static_cast<int>(ExitStatus::failed));
}

}  // namespace precis
