// HDF5 handles that close themselves, and calls that throw with HDF5's innermost message.
#pragma once

#include <hdf5.h>

#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "kernels/view.hpp"
#include "parallel/shard.hpp"

namespace precis::hdf5 {

/// The innermost message of HDF5's error stack; of a failed system call only its own message ("No
/// space left on device"). Empties the stack.
[[nodiscard]] std::string take_error_message();

/// Throws Error "what: message of HDF5." if `result`, of any HDF5 call, is negative; else returns
/// it.
template <class Result>
Result check(Result result, std::string_view what) {
  if (result < 0) [[unlikely]] {
    fail("{}: {}.", what, take_error_message());
  }
  return result;
}

/// Carries an exception past HDF5's C code, through which it must not unwind.
class CallbackGuard {
 public:
  /// For a callback: what it returns to HDF5 after `work`. If that throws, HDF5 is told to stop.
  template <class Work>
  herr_t run(Work&& work) noexcept {
    try {
      work();
      return 0;
    } catch (...) {
      error_ = std::current_exception();
      return -1;
    }
  }
  /// After the call: throws what a callback threw, else as check() does.
  void check_after(herr_t result, std::string_view what);

 private:
  std::exception_ptr error_;
};

/// An owned HDF5 identifier.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  /// Owns `id`, the result of the call that made it; throws as check() does.
  Handle(hid_t id, Close closer, std::string_view what) : id_(check(id, what)), close_(closer) {}
  ~Handle() { reset(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }

  [[nodiscard]] hid_t id() const noexcept { return id_; }
  /// Closes and throws if that fails (writes may fail only here).
  void close(std::string_view what) { check(close_(std::exchange(id_, -1)), what); }

 private:
  void reset() noexcept {
    if (id_ >= 0) {
      close_(std::exchange(id_, -1));
    }
  }
  hid_t id_;
  Close close_;
};

/// Creates the file (replacing one of that name): metadata with checksums, no object times.
[[nodiscard]] Handle create_file(const std::filesystem::path& path);
/// Opens for reading. The Error says what is wrong with the file.
[[nodiscard]] Handle open_file(const std::filesystem::path& path);

/// Writes all that HDF5 still holds of a file, and throws if that fails: before closing, because a
/// close that cannot write leaves HDF5 in a broken state.
void flush(hid_t file);
/// Throws Error if a dataset of so many bytes would make the file larger than the system lets files
/// of this process be (`ulimit -f`). HDF5 cannot close a file that has met the limit, not even one
/// that is abandoned: memory has it too.
void require_below_limit(hid_t file, std::uint64_t bytes);
/// Lets a file that was opened for writing be closed although it cannot be written (a full disk):
/// from here on its content goes to memory and is lost. Returns whether that could be done: only a
/// file that HDF5 itself writes through a descriptor, not one that MPI-IO writes.
bool abandon(hid_t file) noexcept;

/// The little-endian type for a DType; bf16 is a float of 16 bits with exponent bias 127.
[[nodiscard]] Handle type_of(DType dtype);
/// A UTF-8 string of a fixed number of bytes.
[[nodiscard]] Handle text_type(std::size_t bytes);
/// The DType of a type, if it is one of ours.
[[nodiscard]] std::optional<DType> dtype_of_type(hid_t type);

[[nodiscard]] Handle open_dataset(hid_t file, const std::string& path);
/// Creates a contiguous dataset and the groups above it, without times.
[[nodiscard]] Handle create_dataset(hid_t file, const std::string& path, hid_t type, hid_t space);
[[nodiscard]] Handle type_of_dataset(hid_t dataset);
/// The extents of a dataset; none for a scalar.
[[nodiscard]] Extents extents_of_dataset(hid_t dataset);
/// A dataspace of these extents; a scalar for none.
[[nodiscard]] Handle make_space(const Extents& extents);
/// Whether every link of the path exists ("a/b" or "/a/b"; "" is the root).
[[nodiscard]] bool exists(hid_t file, const std::string& path);

/// Visits each by its name, in alphabetical order; what `visit` throws ends the visits. `group` is
/// a path, "/" the root: the links in it, or all datasets below it, by their paths from it.
using Visit = std::function<void(const char* name)>;
void for_each_attribute(hid_t object, const Visit& visit);
void for_each_link(hid_t file, const std::string& group, const Visit& visit);
void for_each_dataset(hid_t file, const std::string& group, const Visit& visit);

void write_attribute(hid_t object, const std::string& name, const std::string& value);
void write_attribute(hid_t object, const std::string& name, std::uint64_t value);
/// Nothing if there is none of that name. Throws Error if it is not a string.
[[nodiscard]] std::optional<std::string> read_text_attribute(hid_t object, const std::string& name);
/// Nothing if there is none of that name. Throws Error if it is not an integer.
[[nodiscard]] std::optional<std::uint64_t> read_integer_attribute(hid_t object,
                                                                  const std::string& name);
/// A scalar string dataset, of fixed or variable length.
[[nodiscard]] std::string read_text(hid_t dataset);

}  // namespace precis::hdf5
