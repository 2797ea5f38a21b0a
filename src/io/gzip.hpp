// Decompression of gzip that loses nothing silently: what `gzip -t` complains about is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace precis {

/// Gives the bytes of a source, decompressed if they begin as gzip does (RFC 1952). Members one
/// after another are one text; zeros behind the last are padding, as tapes and some file systems
/// leave it.
class GzipReader {
 public:
  /// Writes up to `size` bytes to `to` and returns how many; 0 only at the end.
  using Source = std::function<std::size_t(char* to, std::size_t size)>;

  /// `name` is the file's, for messages. An empty file whose name ends in .gz is an error.
  GzipReader(Source source, std::string name);
  ~GzipReader();
  GzipReader(GzipReader&&) noexcept;
  GzipReader& operator=(GzipReader&&) noexcept;

  /// As a Source. Throws Error for a member that is damaged or cut short, and for anything behind a
  /// member that is neither another one nor padding.
  std::size_t read(char* to, std::size_t size);

 private:
  struct Inflater;
  enum class State { begin, plain, member, end };

  bool fill(std::size_t least);
  void begin();
  void begin_next_member();
  std::size_t read_plain(char* to, std::size_t size);
  std::size_t read_member(char* to, std::size_t size);
  [[noreturn]] void fail_cut_short() const;

  Source source_;
  std::string name_;
  State state_ = State::begin;
  std::vector<char> input_;  // [used_, filled_) is not read yet
  std::size_t used_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t taken_ = 0;  // from the source
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace precis
