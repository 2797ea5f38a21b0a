#include "io/metrics.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "io/jsonl.hpp"

namespace precis {

RowFile::RowFile(std::filesystem::path path)
    : path_(std::move(path)),
      descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  require(descriptor_ >= 0, "{}", with_errno("cannot write " + path_.string()));
}

RowFile::RowFile(RowFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

RowFile::~RowFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void RowFile::append(const Row& row) {
  const std::string line = to_line(row) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    require(written >= 0, "{}", with_errno("cannot write " + path_.string()));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void RowFile::sync() {
  require(::fsync(descriptor_) == 0, "{}", with_errno("cannot sync " + path_.string()));
}

}  // namespace precis
