#include "parallel/progress_record.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

namespace precis {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
                  std::atomic<ProgressRecord::State>::is_always_lock_free,
              "progress records are shared between processes");

void SharedText::store(std::string_view text) {
  std::array<char, sizeof(std::uint64_t) * 8> padded{};
  // The last byte stays zero: the end of the text.
  text.copy(padded.data(), padded.size() - 1);
  for (std::size_t i = 0; i < words_.size(); ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, padded.data() + i * sizeof word, sizeof word);
    words_[i].store(word, std::memory_order_relaxed);
  }
}

std::string SharedText::load() const {
  std::array<char, sizeof(std::uint64_t) * 8> padded{};
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::uint64_t word = words_[i].load(std::memory_order_relaxed);
    std::memcpy(padded.data() + i * sizeof word, &word, sizeof word);
  }
  return std::string(padded.data(), strnlen(padded.data(), padded.size()));
}

namespace {

struct ProcStat {
  char state = '?';
  std::uint64_t start_time = 0;
};

/// Fields 3 and 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold blanks and brackets.
bool read_proc_stat(std::int64_t pid, ProcStat& result) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) {
    return false;
  }
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) {
    return false;
  }
  std::istringstream fields(line.substr(bracket + 1));
  fields >> result.state;
  std::string skipped;
  for (int field = 4; field <= 21; ++field) {
    fields >> skipped;
  }
  fields >> result.start_time;
  return static_cast<bool>(fields);
}

std::uint64_t pid_namespace_inode() {
  struct stat status {};
  return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

}  // namespace

ProcessIdentity this_process() {
  ProcessIdentity self{.pid = getpid(), .pid_namespace = pid_namespace_inode(), .user = getuid()};
  ProcStat status;
  if (read_proc_stat(self.pid, status)) {
    self.start_time = status.start_time;
  }
  return self;
}

ProcessState state_of(const ProcessIdentity& process) {
  if (process.start_time == 0 || process.pid_namespace == 0 ||
      process.pid_namespace != pid_namespace_inode()) {
    return ProcessState::unknown;
  }
  ProcStat status;
  if (!read_proc_stat(process.pid, status)) {
    // Only a path that does not exist proves the end; a reader short of file handles does not.
    const bool exists = access(fmt::format("/proc/{}", process.pid).c_str(), F_OK) == 0;
    return !exists && errno == ENOENT ? ProcessState::gone : ProcessState::unknown;
  }
  if (status.start_time != process.start_time || status.state == 'Z' || status.state == 'X') {
    return ProcessState::gone;
  }
  return status.state == 'T' || status.state == 't' ? ProcessState::stopped : ProcessState::running;
}

void ProgressRecord::begin(int world_rank, std::string_view host) {
  const ProcessIdentity self = this_process();
  rank_.store(world_rank);
  pid_.store(self.pid);
  start_time_.store(self.start_time);
  pid_namespace_.store(self.pid_namespace);
  user_.store(self.user);
  host_.store(host);
  phase_.store("start");
  beat();
  state_.store(State::computing);
}

void ProgressRecord::change_to(State next) {
  State now = state_.load();
  while (now != State::finished && now != State::ended &&
         !state_.compare_exchange_weak(now, next)) {
  }
}

void ProgressRecord::end() {
  beat();
  state_.store(State::ended);
}

void ProgressRecord::tick(std::string_view phase) {
  phase_.store(phase);
  beat();
}

void ProgressRecord::enter(std::string_view communicator, std::string_view operation) {
  const std::int64_t now = monotonic_nanoseconds();
  communicator_.store(communicator);
  operation_.store(operation);
  sequence_.fetch_add(1, std::memory_order_relaxed);
  entered_.store(now, std::memory_order_relaxed);
  progressed_.store(now, std::memory_order_relaxed);
  change_to(State::waiting);
}

void ProgressRecord::leave() {
  beat();
  change_to(State::computing);
}

ProcessIdentity ProgressRecord::process() const {
  return {.pid = pid_.load(),
          .start_time = start_time_.load(),
          .pid_namespace = pid_namespace_.load(),
          .user = static_cast<std::uint32_t>(user_.load())};
}

}  // namespace precis
