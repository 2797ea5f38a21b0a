#include "io/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "base/system_call.hpp"

namespace precis {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

void sync_folder_of(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  require_system(descriptor >= 0, "cannot open the folder {}", folder.string());
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some network file systems cannot sync a folder and say so; the rename is then as safe as it
  // gets.
  errno = error;
  require_system(result == 0 || error == EINVAL || error == ENOTSUP,
                 "cannot write the folder {} to disk", folder.string());
}

void write_all(int descriptor, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    require_system(written >= 0, "cannot write {}", path.string());
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// The text as one gzip member; a file of several is gzip as well (RFC 1952, section 2.2).
std::string gzip_member(std::string_view text) {
  z_stream stream{};
  constexpr int gzip_window = 15 + 16;  // the largest window, and a gzip header
  constexpr int memory_level = 8;
  require(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window, memory_level,
                       Z_DEFAULT_STRATEGY) == Z_OK,
          "zlib cannot compress: deflateInit2 failed.");
  std::string member(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(member.data());
  stream.avail_out = static_cast<uInt>(member.size());
  const int code = deflate(&stream, Z_FINISH);
  member.resize(stream.total_out);
  deflateEnd(&stream);
  require(code == Z_STREAM_END, "zlib cannot compress: deflate gave {}.", code);
  return member;
}

/// Whether the path is another name of an open file, as /dev/stdout and /dev/fd/3 are.
bool names_descriptor(const fs::path& path) {
  std::error_code error;
  const fs::path target = fs::read_symlink(path, error);
  const auto is_in_proc = [&](const fs::path& link) {
    return fs::weakly_canonical(link.parent_path(), error).string().starts_with("/proc/");
  };
  return !error && (is_in_proc(path) || is_in_proc(target));
}

}  // namespace

OutputFile::OutputFile(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  const bool descriptor = names_descriptor(path_);
  if (!descriptor && fs::is_symlink(path_, ignored)) {
    path_ = fs::weakly_canonical(path_, ignored);
  }
  const fs::file_status status = fs::status(path_, ignored);
  require(!fs::is_directory(status),
          "cannot write {}: it is a folder; a file name is expected here.", path_.string());
  require(path_.has_filename(), "cannot write to '{}': a file name is expected.", path_.string());
  const fs::path folder = path_.parent_path();
  require(folder.empty() || fs::is_directory(folder, ignored),
          "cannot write {}: the folder {} does not exist.", path_.string(), folder.string());
  renames_ = !descriptor && (!fs::exists(status) || fs::is_regular_file(status));
  partial_ = path_;
  if (!renames_) {
    open(O_APPEND);  // standard output may be a file that others write to as well
    return;
  }
  partial_ += ".partial";
  unfinished_ = std::make_unique<PartialOutput>(partial_);
  gzip_ = path_.extension() == ".gz";
  open(O_TRUNC);
  ::close(std::exchange(descriptor_, -1));
  ::unlink(partial_.c_str());
}

void OutputFile::open(int how) {
  const int create = renames_ ? O_CREAT : 0;
  descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CLOEXEC | create | how, 0666);
  require_system(descriptor_ >= 0, "cannot write {}", partial_.string());
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      unfinished_(std::move(other.unfinished_)),
      buffer_(std::move(other.buffer_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      renames_(other.renames_),
      gzip_(other.gzip_) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
  if (unfinished_) {
    ::unlink(partial_.c_str());
  }
}

void OutputFile::write(std::string_view text) {
  while (buffer_.size() + text.size() > buffer_bytes) {
    const std::size_t room = buffer_bytes - buffer_.size();
    buffer_ += text.substr(0, room);
    text.remove_prefix(room);
    write_through(buffer_);
    buffer_.clear();
  }
  buffer_ += text;
}

void OutputFile::write_line(std::string_view text) {
  write(text);
  write("\n");
}

void OutputFile::write_through(std::string_view text) {
  if (descriptor_ < 0) {
    open(0);
  }
  write_all(descriptor_, gzip_ ? gzip_member(text) : text, path_);
}

void OutputFile::commit() {
  // What a library has written by name is there already.
  std::error_code ignored;
  if (!buffer_.empty() || !fs::exists(partial_, ignored)) {
    write_through(std::exchange(buffer_, {}));
  }
  if (renames_) {
    if (descriptor_ < 0) {
      open(0);
    }
    require_system(::fsync(descriptor_) == 0, "cannot write {}", path_.string());
    require_system(::rename(partial_.c_str(), path_.c_str()) == 0, "cannot rename {} to {}",
                   partial_.string(), path_.string());
  }
  unfinished_.reset();
  const int result = ::close(std::exchange(descriptor_, -1));
  require_system(result == 0, "cannot write {}", path_.string());
  if (renames_) {
    sync_folder_of(path_);
  }
}

void write_file(const fs::path& path, std::string_view content) {
  OutputFile file(path);
  file.write(content);
  file.commit();
}

void require_readable_file(const fs::path& path, std::string_view what) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  require(fs::exists(status), "the {} {} does not exist.", what, path.string());
  require(!fs::is_directory(status), "{} is a folder, where a {} is expected.", path.string(),
          what);
  require_system(::access(path.c_str(), R_OK) == 0, "cannot read the {} {}", what, path.string());
}

std::string read_file(const fs::path& path) {
  require_readable_file(path, "file");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require_system(descriptor >= 0, "cannot open {}", path.string());
  std::string content;
  std::string block(buffer_bytes, '\0');
  ssize_t count = 0;
  while ((count = ::read(descriptor, block.data(), block.size())) != 0) {
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      const std::string message = with_errno("cannot read " + path.string());
      ::close(descriptor);
      throw Error(message);
    }
    content.append(block, 0, static_cast<std::size_t>(count));
  }
  ::close(descriptor);
  return content;
}

}  // namespace precis
