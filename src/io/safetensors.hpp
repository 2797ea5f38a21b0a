// safetensors: the weight files of Hugging Face folders, read and written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/view.hpp"

namespace precis {

/// One tensor of a safetensors file.
struct SafetensorsEntry {
  std::string dtype;  ///< as the file says: "F32", "F16", "BF16", ...
  std::vector<std::int64_t> shape;
  std::filesystem::path file;
  const std::byte* bytes = nullptr;
  std::int64_t size_bytes = 0;
  /// Product of the shape; 1 for a scalar.
  [[nodiscard]] std::int64_t numel() const noexcept;
};

/// Tensors by name from one or several mapped files.
class SafetensorsReader {
 public:
  /// `path` is a .safetensors file, a model.safetensors.index.json, or a folder that has
  /// model.safetensors or model.safetensors.index.json, of which the first wins as in transformers
  /// (or exactly one *.safetensors). Throws Error
  /// naming file and tensor for everything that is malformed: header longer than the file or 100
  /// MB, not JSON, overlapping or missing bytes, sizes that do not fit shape and dtype, a tensor
  /// twice.
  explicit SafetensorsReader(const std::filesystem::path& path);

  /// Sorted by name.
  [[nodiscard]] const std::map<std::string, SafetensorsEntry>& tensors() const noexcept {
    return tensors_;
  }
  [[nodiscard]] bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  /// The source that was read in a folder with several: the name of the weight file, or of the
  /// index.
  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  /// The folder's other weight files and indexes by name, which were not looked into.
  [[nodiscard]] const std::vector<std::string>& left_aside() const noexcept { return left_aside_; }
  /// Throws Error if there is none of that name.
  [[nodiscard]] const SafetensorsEntry& at(const std::string& name) const;
  /// The tensor as f32: F32, BF16 and F16 exactly, F64 rounded. Throws Error for other dtypes.
  [[nodiscard]] std::vector<float> read_f32(const std::string& name) const;
  /// The same into memory of that many elements.
  void read_f32(const std::string& name, float* destination) const;

 private:
  class Mapping;
  void add_file(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);
  void find_left_aside(const std::filesystem::path& folder);

  std::string source_;
  std::vector<std::string> left_aside_;
  std::vector<std::shared_ptr<const Mapping>> mappings_;
  std::map<std::string, SafetensorsEntry> tensors_;
};

/// What f32 weights are written as.
enum class WeightDType : std::uint8_t { f32, bf16, f16 };

/// One tensor to write, f32, bf16 or f64.
struct SafetensorsTensor {
  std::string name;
  ConstView value;
  /// What an f32 element is rounded to, to nearest even.
  WeightDType as = WeightDType::f32;
};

/// Writes one file, tensors in the given order, header padded to 8 bytes. Throws Error, also naming
/// a tensor with elements that its dtype would make infinite.
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<SafetensorsTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace precis
