#include "parallel/progress_board.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "parallel/mpi_check.hpp"

namespace precis {

namespace {

constexpr std::size_t header_bytes = 64;

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  ~FileDescriptor() {
    if (value_ >= 0) {
      close(value_);
    }
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

void* map_shared(int descriptor, std::size_t bytes) {
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return mapping == MAP_FAILED ? nullptr : mapping;
}

struct CreatedFile {
  std::string path;
  std::string problem;  ///< why the last folder did not do; empty if the file is there
};

/// A new file of zero bytes whose memory is really there: without that a full disk shows as SIGBUS.
CreatedFile create_file(std::size_t bytes) {
  CreatedFile file;
  const ProcessIdentity self = this_process();
  const char* temporary = std::getenv("TMPDIR");
  for (const std::string& folder :
       {std::string("/dev/shm"), std::string(temporary != nullptr ? temporary : ""),
        std::string("/tmp")}) {
    if (folder.empty()) {
      continue;
    }
    file.path = fmt::format("{}/precis-{}-{}-{}", folder, self.user, self.pid, self.start_time);
    const FileDescriptor descriptor(
        open(file.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (descriptor.get() < 0) {
      file.problem = with_errno(file.path);
      continue;
    }
    const int code = posix_fallocate(descriptor.get(), 0, static_cast<off_t>(bytes));
    if (code == 0) {
      file.problem.clear();
      return file;
    }
    file.problem = fmt::format("{}: {}", file.path, std::strerror(code));
    unlink(file.path.c_str());
  }
  file.path.clear();
  return file;
}

std::string broadcast_path(MPI_Comm node, const std::string& mine) {
  std::array<char, 4096> text{};
  require(mine.size() < text.size(), "The path of the progress file is {} bytes long.",
          mine.size());
  mine.copy(text.data(), mine.size());
  check_mpi(MPI_Bcast(text.data(), static_cast<int>(text.size()), MPI_CHAR, 0, node), "MPI_Bcast");
  return text.data();
}

}  // namespace

ProgressBoard::ProgressBoard(MPI_Comm node, int world_rank, const std::string& host) {
  check_mpi(MPI_Comm_size(node, &size_), "MPI_Comm_size");
  check_mpi(MPI_Comm_rank(node, &mine_), "MPI_Comm_rank");
  bytes_ = header_bytes + static_cast<std::size_t>(size_) * sizeof(ProgressRecord);

  CreatedFile created;
  if (mine_ == 0) {
    created = create_file(bytes_);
  }
  const std::string path = broadcast_path(node, created.path);
  std::string problem = created.problem;
  if (!path.empty()) {
    const FileDescriptor descriptor(open(path.c_str(), O_RDWR | O_CLOEXEC));
    mapping_ = descriptor.get() < 0 ? nullptr : map_shared(descriptor.get(), bytes_);
    problem = mapping_ == nullptr ? with_errno(path) : "";
  }
  if (mapping_ != nullptr) {
    auto* const begin = static_cast<std::byte*>(mapping_);
    report_ = reinterpret_cast<std::atomic<std::int64_t>*>(begin);
    records_ = reinterpret_cast<ProgressRecord*>(begin + header_bytes);
    // Each rank starts the life of its own record only; the zero bytes of the header are a claim
    // that nobody has made.
    (new (&records_[mine_]) ProgressRecord)->begin(world_rank, host);
  }
  int mapped = mapping_ != nullptr ? 1 : 0;
  const int code = MPI_Allreduce(MPI_IN_PLACE, &mapped, 1, MPI_INT, MPI_MIN, node);
  if (mine_ == 0 && !path.empty()) {
    unlink(path.c_str());
  }
  check_mpi(code, "MPI_Allreduce");
  if (mapped == 0) {
    if (mapping_ != nullptr) {
      munmap(mapping_, bytes_);
    }
    fail(
        "The small file in which the ranks of host {} show their progress ({} bytes) could not be "
        "made and mapped: {}. Give a writable folder with TMPDIR.",
        host, bytes_, problem.empty() ? "another rank of this host failed" : problem);
  }
}

ProgressBoard::~ProgressBoard() {
  mine().finish();
  munmap(mapping_, bytes_);
}

bool ProgressBoard::claim_report() {
  std::int64_t unclaimed = 0;
  return report_->compare_exchange_strong(unclaimed, monotonic_nanoseconds());
}

}  // namespace precis
