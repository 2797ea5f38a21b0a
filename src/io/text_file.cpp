#include "io/text_file.hpp"

#include "base/error.hpp"

#include <glob.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace precis {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 18;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

gzFile as_gzip(void* file) { return static_cast<gzFile>(file); }

gzFile open_gzip(const std::string& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  require(status.type() != std::filesystem::file_type::not_found,
          "{}: the file does not exist. Check the path.", path);
  require(status.type() != std::filesystem::file_type::directory,
          "{}: this is a folder, a file was expected.", path);
  errno = 0;
  gzFile file = gzopen(path.c_str(), "rb");
  require(file != nullptr, "{}", with_errno(path + ": cannot be opened for reading"));
  gzbuffer(file, buffer_bytes);
  return file;
}

/// Reads up to `size` bytes; fewer only at the end of a complete file.
std::size_t read_gzip(gzFile file, const std::string& path, char* to, std::size_t size) {
  errno = 0;
  const int count = gzread(file, to, static_cast<unsigned>(size));
  int code = Z_OK;
  const char* message = gzerror(file, &code);
  if (count < 0 || code == Z_BUF_ERROR) {
    if (code == Z_ERRNO) {
      fail("{}", with_errno(path + ": cannot be read"));
    }
    fail("{}: the gzip data is damaged or cut short ({}).", path,
         code == Z_BUF_ERROR ? "unexpected end of file" : message);
  }
  return static_cast<std::size_t>(count);
}

}  // namespace

void LineReader::CloseGzip::operator()(void* file) const { gzclose(as_gzip(file)); }

LineReader::LineReader(std::string path)
    : path_(std::move(path)), file_(open_gzip(path_)), buffer_(buffer_bytes) {}

bool LineReader::fill() {
  used_ = 0;
  filled_ = read_gzip(as_gzip(file_.get()), path_, buffer_.data(), buffer_.size());
  return filled_ > 0;
}

bool LineReader::next(std::string& line) {
  line.clear();
  bool found = false;
  while (used_ < filled_ || fill()) {
    found = true;
    const char* begin = buffer_.data() + used_;
    const auto* end = static_cast<const char*>(std::memchr(begin, '\n', filled_ - used_));
    if (end == nullptr) {
      line.append(begin, filled_ - used_);
      used_ = filled_;
      continue;
    }
    line.append(begin, end);
    used_ += static_cast<std::size_t>(end - begin) + 1;
    break;
  }
  if (!found) {
    return false;
  }
  ++line_number_;
  if (line.ends_with('\r')) {
    line.pop_back();
  }
  if (line_number_ == 1 && line.starts_with(byte_order_mark)) {
    line.erase(0, byte_order_mark.size());
  }
  return true;
}

std::string read_text_file(const std::string& path) {
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };
  const std::unique_ptr<gzFile_s, Close> file(open_gzip(path));
  std::string bytes;
  std::vector<char> buffer(buffer_bytes);
  while (const std::size_t count = read_gzip(file.get(), path, buffer.data(), buffer.size())) {
    bytes.append(buffer.data(), count);
  }
  if (bytes.starts_with(byte_order_mark)) {
    bytes.erase(0, byte_order_mark.size());
  }
  return bytes;
}

std::vector<std::string> expand_files(const std::vector<std::string>& patterns) {
  std::vector<std::string> files;
  for (const std::string& pattern : patterns) {
    if (pattern.empty()) {
      fail_usage("A list of files has an empty name. Write names or globs with commas between.");
    }
    if (std::filesystem::exists(pattern)) {
      files.push_back(pattern);
      continue;
    }
    require(pattern.find_first_of("*?[") != std::string::npos,
            "{}: the file does not exist. Check the path.", pattern);
    glob_t matches{};
    const int code = glob(pattern.c_str(), GLOB_ERR, nullptr, &matches);
    const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&matches, globfree);
    require(code != GLOB_NOMATCH, "{}: no file matches this pattern.", pattern);
    require(code == 0, "{}", with_errno(pattern + ": the pattern could not be expanded"));
    files.insert(files.end(), matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  return files;
}

}  // namespace precis
