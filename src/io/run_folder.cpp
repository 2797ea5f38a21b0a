#include "io/run_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "io/file_locks.hpp"
#include "io/host_name.hpp"
#include "io/output_file.hpp"
#include "io/tensorboard.hpp"

namespace precis {

namespace {

namespace fs = std::filesystem;

/// Who holds a lock, as RUN/lock says it.
struct Holder {
  std::string host;
  std::string job;
  std::string time;
  std::int64_t process = 0;
};

std::string job_name() {
  for (const char* variable : {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"}) {
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') {
      return value;
    }
  }
  return "none";
}

Holder read_holder(const fs::path& file) {
  std::ifstream stream(file);
  const auto json = nlohmann::json::parse(stream, nullptr, false);
  if (!json.is_object()) {
    return {};
  }
  return {json.value("host", ""), json.value("job", ""), json.value("time", ""),
          json.value("process", std::int64_t{0})};
}

std::string describe(const Holder& holder) {
  if (holder.host.empty()) {
    return "another process";
  }
  return fmt::format("process {} on host {}, job {}, since {}", holder.process, holder.host,
                     holder.job, holder.time);
}

/// Throws Error, with nothing but an empty file left, if the disk is full.
void write_holder(int descriptor, const fs::path& file) {
  const nlohmann::ordered_json json{{"host", host_name()},
                                    {"process", static_cast<std::int64_t>(::getpid())},
                                    {"job", job_name()},
                                    {"time", utc_now()}};
  const std::string text = json.dump() + "\n";
  bool good = ::ftruncate(descriptor, 0) == 0;
  // A disk that fills up takes a part; only the next write says why.
  for (std::size_t written = 0; good && written < text.size();) {
    const ssize_t count = ::pwrite(descriptor, text.data() + written, text.size() - written,
                                   static_cast<off_t>(written));
    good = count >= 0;
    written += good ? static_cast<std::size_t>(count) : 0;
  }
  require(good, "{}", with_errno("cannot write " + file.string()));
}

/// Whether Slurm has requeued this job: what it ran before, on whatever host, has ended.
bool is_requeued() {
  const char* count = std::getenv("SLURM_RESTART_COUNT");
  return count != nullptr && std::string_view(count) != "0";
}

/// Whether the process that the lock names is certainly dead, or none is named: only asked where
/// the file system's locks do not tell.
bool is_dead(const Holder& holder) {
  return holder.host.empty() ||
         (holder.host == host_name() && ::kill(static_cast<pid_t>(holder.process), 0) != 0 &&
          errno == ESRCH) ||
         (holder.job != "none" && holder.job == job_name() && holder.host != host_name() &&
          is_requeued());
}

/// `why_unsure`: why the file system's locks do not tell whether the holder lives; empty: they do.
[[noreturn]] void refuse(const fs::path& file, const std::string& why_unsure) {
  fail("the run folder {} is in use by {}. Wait for it to end, or give another run folder.{}",
       file.parent_path().string(), describe(read_holder(file)),
       why_unsure.empty()
           ? ""
           : fmt::format(" If it is dead, which cannot be told here ({}), remove {}.", why_unsure,
                         file.string()));
}

/// Why a lock that was taken may not exclude other hosts; empty if no reason is known.
std::string locks_stay_here(const fs::path& file) {
  std::error_code ignored;
  std::ifstream mounts("/proc/self/mountinfo");
  const auto how = locks_of_one_host(mounts, fs::weakly_canonical(file, ignored));
  return how ? fmt::format("the locks of its file system, {}, are of one host", *how) : "";
}

/// Whether the open file is still the one that has the name: its holder removes it when done.
bool has_name(int descriptor, const fs::path& file) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(file.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/// The `step` of a row, or nothing if the line is not a whole row.
std::optional<std::int64_t> step_of(const std::string& line) {
  const auto row = nlohmann::json::parse(line, nullptr, false);
  if (!row.is_object() || !row.contains("step") || !row["step"].is_number()) {
    return std::nullopt;
  }
  return row["step"].get<std::int64_t>();
}

}  // namespace

RunLock::RunLock(fs::path file) : file_(std::move(file)) {
  for (;;) {
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    require(descriptor_ >= 0, "{}", with_errno("cannot write " + file_.string()));
    try {
      take();
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
    if (has_name(descriptor_, file_)) {
      break;
    }
    ::close(std::exchange(descriptor_, -1));
  }
  try {
    write_holder(descriptor_, file_);
  } catch (...) {
    ::unlink(file_.c_str());
    ::close(descriptor_);
    throw;
  }
  removed_by_signal_.emplace(file_);
}

void RunLock::take() {
  switch (try_lock(descriptor_, file_)) {
    case FileLock::held_by_another:
      refuse(file_, "");
    case FileLock::none_here: {
      const std::string cause = std::generic_category().message(errno);
      if (!is_dead(read_holder(file_))) {
        refuse(file_, "the file system has no locks");
      }
      notice_ = fmt::format(
          "The file system of {} has no locks ({}): the run goes on without one. Let no other "
          "process work in this folder at the same time.",
          file_.string(), cause);
      break;
    }
    case FileLock::taken: {
      const Holder holder = read_holder(file_);
      const std::string why =
          holder.host.empty() || holder.host == host_name() ? "" : locks_stay_here(file_);
      if (!why.empty() && !is_dead(holder)) {
        refuse(file_, why);
      }
      if (!why.empty()) {
        notice_ = fmt::format("The lock of {} is taken over: it was of {}, which has ended.",
                              file_.string(), describe(holder));
      }
      break;
    }
  }
}

RunLock::~RunLock() {
  ::unlink(file_.c_str());
  ::close(descriptor_);
}

RunFolder::RunFolder(const fs::path& folder)
    : folder_(folder), made_(folder), lock_(folder_ / "lock") {}

void RunFolder::cut_back(std::int64_t step) const {
  cut_back_rows(metrics(), step);
  cut_back_rows(samples(), step);
  cut_back_rows(episodes(), step);
  cut_back_tensorboard(tensorboard(), step);
}

void cut_back_rows(const fs::path& file, std::int64_t step) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    return;
  }
  require_readable_file(file, "file");
  std::ifstream stream(file, std::ios::binary);
  OutputFile kept(file);
  bool removed = false;
  for (std::string line; std::getline(stream, line);) {
    // A line that ends with the file has no newline: it was torn.
    const std::optional<std::int64_t> row_step = stream.eof() ? std::nullopt : step_of(line);
    if (row_step && *row_step <= step) {
      kept.write_line(line);
    } else {
      removed = true;
    }
  }
  require(!stream.bad(), "cannot read {}.", file.string());
  if (removed) {
    kept.commit();
  }
}

}  // namespace precis
