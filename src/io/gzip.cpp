#include "io/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.hpp"

namespace precis {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 18;
constexpr std::size_t magic_bytes = 2;
constexpr int gzip_window = 15 + 16;  // the largest window, and a gzip header

bool is_magic(const char* bytes) { return bytes[0] == '\x1f' && bytes[1] == '\x8b'; }

}  // namespace

struct GzipReader::Inflater {
  z_stream stream{};

  Inflater() {
    if (inflateInit2(&stream, gzip_window) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

GzipReader::GzipReader(Source source, std::string name)
    : source_(std::move(source)), name_(std::move(name)), input_(buffer_bytes) {}

GzipReader::~GzipReader() = default;
GzipReader::GzipReader(GzipReader&&) noexcept = default;
GzipReader& GzipReader::operator=(GzipReader&&) noexcept = default;

/// Makes sure that at least so many bytes are there to be read; false if the source has fewer left.
bool GzipReader::fill(std::size_t least) {
  if (filled_ - used_ >= least) {
    return true;
  }
  std::memmove(input_.data(), input_.data() + used_, filled_ - used_);
  filled_ -= std::exchange(used_, 0);
  while (filled_ < least) {
    const std::size_t count = source_(input_.data() + filled_, input_.size() - filled_);
    if (count == 0) {
      return false;
    }
    filled_ += count;
    taken_ += count;
  }
  return true;
}

void GzipReader::fail_cut_short() const {
  fail("{}: the gzip data is damaged or cut short (unexpected end of file).", name_);
}

void GzipReader::begin() {
  if (fill(magic_bytes) && is_magic(input_.data() + used_)) {
    inflater_ = std::make_unique<Inflater>();
    state_ = State::member;
    return;
  }
  if (filled_ < magic_bytes && name_.ends_with(".gz")) {
    fail_cut_short();
  }
  state_ = State::plain;
}

void GzipReader::begin_next_member() {
  if (fill(magic_bytes) && is_magic(input_.data() + used_)) {
    inflateReset(&inflater_->stream);
    return;
  }
  while (fill(1)) {
    const auto other = std::find_if(input_.begin() + static_cast<std::ptrdiff_t>(used_),
                                    input_.begin() + static_cast<std::ptrdiff_t>(filled_),
                                    [](char byte) { return byte != '\0'; });
    used_ = static_cast<std::size_t>(other - input_.begin());
    require(used_ == filled_,
            "{}: behind the end of the gzip data, at byte {}, there is something that is not gzip. "
            "Was a file that is not compressed appended to it? Compress that first, or unpack this "
            "one.",
            name_, taken_ - (filled_ - used_) + 1);
  }
  state_ = State::end;
}

std::size_t GzipReader::read_plain(char* to, std::size_t size) {
  if (!fill(1)) {
    state_ = State::end;
    return 0;
  }
  const std::size_t count = std::min(size, filled_ - used_);
  std::memcpy(to, input_.data() + used_, count);
  used_ += count;
  return count;
}

/// May return nothing at the end of a member.
std::size_t GzipReader::read_member(char* to, std::size_t size) {
  if (!fill(1)) {
    fail_cut_short();
  }
  z_stream& stream = inflater_->stream;
  stream.next_in = reinterpret_cast<Bytef*>(input_.data() + used_);
  stream.avail_in = static_cast<uInt>(filled_ - used_);
  stream.next_out = reinterpret_cast<Bytef*>(to);
  stream.avail_out = static_cast<uInt>(size);
  const int code = inflate(&stream, Z_NO_FLUSH);
  used_ = filled_ - stream.avail_in;
  if (code == Z_STREAM_END) {
    begin_next_member();
  } else if (code == Z_MEM_ERROR) {
    throw std::bad_alloc();
  } else {
    require(code == Z_OK, "{}: the gzip data is damaged or cut short ({}).", name_,
            stream.msg != nullptr ? stream.msg : zError(code));
  }
  return size - stream.avail_out;
}

std::size_t GzipReader::read(char* to, std::size_t size) {
  if (state_ == State::begin) {
    begin();
  }
  std::size_t count = 0;
  while (count == 0 && state_ == State::member) {
    count = read_member(to, size);
  }
  return count > 0 || state_ == State::end ? count : read_plain(to, size);
}

}  // namespace precis
