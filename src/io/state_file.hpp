// HDF5 files of named tensors, texts and bytes, with a digest for each: the base of model files and
// checkpoints. Knows names, shards and attributes, not what they mean.
//
// HDF5 is not thread-safe: one thread of a process at a time may be in here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5.hpp"
#include "io/output_file.hpp"
#include "kernels/view.hpp"
#include "parallel/shard.hpp"

namespace precis {

/// What `format` says in files that this version writes: kind, then the format's version.
inline constexpr std::string_view model_format = "precis model 1";
inline constexpr std::string_view checkpoint_format = "precis checkpoint 1";

/// One dataset of a file. `dtype` is "f32", "bf16", "u8", ..., or "text"; a text has the shape ().
struct DatasetInfo {
  std::string path;  ///< without a leading slash
  std::string dtype;
  Extents shape;
  std::optional<std::uint64_t> digest;  ///< as stored; absent in files that precis did not write
  std::uint64_t size_bytes = 0;
};

/// "(3, 5)".
[[nodiscard]] std::string to_string(const Extents& shape);

/// Writes NAME.partial; the file gets its name with commit(). Only one rank writes.
class StateWriter {
 public:
  /// `format` is model_format or checkpoint_format; the attributes `written`, `host` and `code` are
  /// added. `tick` is called after each dataset.
  StateWriter(
      const std::filesystem::path& path, std::string_view format,
      std::function<void()> tick = [] {});
  ~StateWriter();
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;

  /// A text attribute of the file.
  void attribute(const std::string& name, const std::string& value);
  /// A scalar UTF-8 string.
  void text(const std::string& path, const std::string& value);
  /// A row of u8.
  void bytes(const std::string& path, const std::vector<std::uint8_t>& value);
  /// A tensor in host memory, of any DType. `shard` must be the whole tensor, as one rank writes.
  void tensor(const std::string& path, ConstView value, const Shard& shard);
  void tensor(const std::string& path, ConstView value);

  /// Closes, syncs, renames. Throws Error, for example on a full disk.
  void commit();

 private:
  void write(const std::string& path, hid_t type, const Extents& shape, const void* data,
             std::uint64_t digest);

  OutputFile output_;
  hdf5::Handle file_;
  std::function<void()> tick_;
  bool committed_ = false;
};

/// An open file. Every read verifies the dataset's digest where it has one.
class StateReader {
 public:
  /// Throws Error if the file is missing, is a folder, is not HDF5, is damaged, or has a `format`
  /// that this version does not know (none at all is accepted: a file that another program made).
  explicit StateReader(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// The attribute, or "" if the file has none of that name.
  [[nodiscard]] std::string attribute(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> attributes() const;
  [[nodiscard]] std::string format() const { return attribute("format"); }

  /// Whether there is a dataset or a group of that path.
  [[nodiscard]] bool contains(const std::string& path) const;
  /// Whether the path, which exists, is a group.
  [[nodiscard]] bool is_group(const std::string& path) const;
  /// All datasets below a group ("" is the whole file), sorted by path.
  [[nodiscard]] std::vector<DatasetInfo> datasets(const std::string& group = "") const;
  /// Names directly below a group, sorted.
  [[nodiscard]] std::vector<std::string> children(const std::string& group = "") const;
  [[nodiscard]] DatasetInfo info(const std::string& path) const;

  [[nodiscard]] std::string text(const std::string& path) const;
  [[nodiscard]] std::vector<std::uint8_t> bytes(const std::string& path) const;
  /// Reads the shard's box into host memory, converting to the view's dtype (bf16 rounds to nearest
  /// even). The dataset must have the shard's global shape; the message of the Error names file,
  /// dataset, shape found and shape expected.
  void tensor(const std::string& path, View value, const Shard& shard) const;
  void tensor(const std::string& path, View value) const;

  /// The digest of the dataset's content, whatever digest is stored with it.
  [[nodiscard]] std::uint64_t compute_digest(const std::string& path) const;
  /// Reads a dataset and compares with its digest, if it has one. Returns "" or what is wrong,
  /// naming file and dataset.
  [[nodiscard]] std::string verify(const std::string& path) const;

 private:
  std::filesystem::path path_;
  hdf5::Handle file_;
};

}  // namespace precis
