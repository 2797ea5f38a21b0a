#include "io/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "io/float16.hpp"
#include "io/output_file.hpp"

namespace precis {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t header_limit = 100'000'000;  // bytes, as the format's own implementation

/// Bits an element; 0 for an unknown dtype.
std::int64_t bits_of(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") {
    return 64;
  }
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") {
    return 32;
  }
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") {
    return 16;
  }
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype.starts_with("F8_")) {
    return 8;
  }
  return 0;
}

/// Parses a JSON object; a repeated key is an error, as the last of two tensors of one name would
/// win.
Json parse_object(std::string_view text, const fs::path& file) {
  std::set<std::string> keys;
  std::string twice;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1 &&
        !keys.insert(value.get<std::string>()).second) {
      twice = value.get<std::string>();
    }
    return true;
  };
  Json json = Json::parse(text, watch, false);
  require(json.is_object(), "{}: the header is not a JSON object.", file.string());
  require(twice.empty(), "{}: the tensor {} is there twice.", file.string(), twice);
  return json;
}

std::int64_t natural_number(const Json& value) {
  require(value.is_number_unsigned() &&
              value.get<std::uint64_t>() <=
                  static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()),
          "found {}, expected a whole number of at least 0", value.dump());
  return value.get<std::int64_t>();
}

std::vector<std::int64_t> natural_numbers(const Json& object, const char* key) {
  require(object.is_object() && object.contains(key) && object[key].is_array(),
          "the list {} is missing", key);
  std::vector<std::int64_t> numbers;
  for (const Json& value : object[key]) {
    numbers.push_back(natural_number(value));
  }
  return numbers;
}

/// Bytes of a tensor. Throws Error if the product does not fit 63 bits.
std::int64_t bytes_of(const std::vector<std::int64_t>& shape, std::int64_t bits) {
  std::int64_t product = bits / 8;
  for (const std::int64_t extent : shape) {
    require(!__builtin_mul_overflow(product, extent, &product), "its shape is too large");
  }
  return product;
}

template <class Stored, class Convert>
void convert(const SafetensorsEntry& entry, float* destination, Convert&& to_float) {
  const std::int64_t count = entry.numel();
  for (std::int64_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, entry.bytes + i * static_cast<std::int64_t>(sizeof(Stored)),
                sizeof(Stored));
    destination[i] = to_float(stored);
  }
}

/// The weight file, or the index, that a folder means.
fs::path find_in_folder(const fs::path& folder) {
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (fs::exists(folder / name)) {
      return folder / name;
    }
  }
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") {
      files.push_back(entry.path());
    }
  }
  require(files.size() == 1,
          "{}: found {} files *.safetensors, expected model.safetensors, or several with "
          "model.safetensors.index.json.",
          folder.string(), files.size());
  return files.front();
}

}  // namespace

std::int64_t SafetensorsEntry::numel() const noexcept {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) {
    product *= extent;
  }
  return product;
}

/// A file mapped for reading.
class SafetensorsReader::Mapping {
 public:
  explicit Mapping(const fs::path& file) {
    require_readable_file(file, "safetensors file");
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    require(descriptor >= 0, "{}", with_errno("cannot open " + file.string()));
    struct stat status {};
    const bool known = ::fstat(descriptor, &status) == 0;
    if (known && status.st_size > 0) {
      size_ = static_cast<std::uint64_t>(status.st_size);
      address_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    const int error = errno;
    ::close(descriptor);
    errno = error;
    require(known && address_ != MAP_FAILED, "{}", with_errno("cannot read " + file.string()));
  }
  ~Mapping() {
    if (address_ != nullptr) {
      ::munmap(address_, size_);
    }
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] const std::byte* bytes() const { return static_cast<const std::byte*>(address_); }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  void* address_ = nullptr;
  std::uint64_t size_ = 0;
};

SafetensorsReader::SafetensorsReader(const fs::path& path) {
  require(fs::exists(path),
          "{} does not exist; a safetensors file or a folder with one is expected.", path.string());
  const fs::path file = fs::is_directory(path) ? find_in_folder(path) : path;
  source_ = file.filename().string();
  if (file.extension() == ".json") {
    add_shards(file);
  } else {
    add_file(file);
  }
  if (fs::is_directory(path)) {
    find_left_aside(path);
  }
}

void SafetensorsReader::add_shards(const fs::path& file) {
  const Json index = parse_object(read_file(file), file);
  require(index.contains("weight_map") && index["weight_map"].is_object(),
          "{}: the object weight_map is missing.", file.string());
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    require(shard.is_string() && !fs::path(shard.get<std::string>()).has_parent_path(),
            "{}: tensor {}: found {}, expected the name of a file in the same folder.",
            file.string(), tensor, shard.dump());
    shards.insert(shard.get<std::string>());
  }
  for (const std::string& shard : shards) {
    add_file(file.parent_path() / shard);
  }
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    const auto found = tensors_.find(tensor);
    require(found != tensors_.end() && found->second.file.filename() == shard.get<std::string>(),
            "{} says that {} holds the tensor {}, which it does not.", file.string(),
            shard.get<std::string>(), tensor);
  }
}

void SafetensorsReader::find_left_aside(const fs::path& folder) {
  std::set<std::string> used{source_};
  for (const auto& [name, entry] : tensors_) {
    used.insert(entry.file.filename().string());
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if ((name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")) &&
        used.count(name) == 0) {
      left_aside_.push_back(name);
    }
  }
  std::sort(left_aside_.begin(), left_aside_.end());
}

void SafetensorsReader::add_file(const fs::path& file) {
  const auto mapping = std::make_shared<const Mapping>(file);
  const std::string name = file.string();
  require(mapping->size() >= 8, "{} has {} bytes and is not a safetensors file.", name,
          mapping->size());
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, mapping->bytes(), sizeof(header_size));
  require(header_size <= header_limit,
          "{}: the header is said to have {} bytes, expected at most {}; this is not a safetensors "
          "file, or a damaged one.",
          name, header_size, header_limit);
  require(header_size <= mapping->size() - 8,
          "{}: the header is said to have {} bytes, but only {} follow; the file is truncated.",
          name, header_size, mapping->size() - 8);
  const std::byte* const data = mapping->bytes() + 8 + header_size;
  const auto data_size = static_cast<std::int64_t>(mapping->size() - 8 - header_size);
  const Json header =
      parse_object({reinterpret_cast<const char*>(mapping->bytes()) + 8, header_size}, file);

  struct Range {
    std::int64_t begin;
    std::int64_t end;
    std::string tensor;
  };
  std::vector<Range> ranges;
  for (const auto& [tensor, fields] : header.items()) {
    if (tensor == "__metadata__") {
      continue;
    }
    try {
      require(fields.is_object() && fields.contains("dtype") && fields["dtype"].is_string(),
              "its dtype is missing");
      SafetensorsEntry entry;
      entry.dtype = fields["dtype"].get<std::string>();
      entry.shape = natural_numbers(fields, "shape");
      entry.file = file;
      const std::int64_t bits = bits_of(entry.dtype);
      require(bits > 0, "its dtype {} is not known", entry.dtype);
      entry.size_bytes = bytes_of(entry.shape, bits);
      const std::vector<std::int64_t> offsets = natural_numbers(fields, "data_offsets");
      require(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data_size,
              "its data_offsets {} do not lie in the {} bytes of data",
              fields["data_offsets"].dump(), data_size);
      require(offsets[1] - offsets[0] == entry.size_bytes,
              "it has {} bytes of data, but {} of shape {} takes {}", offsets[1] - offsets[0],
              entry.dtype, fields["shape"].dump(), entry.size_bytes);
      entry.bytes = data + offsets[0];
      ranges.push_back({offsets[0], offsets[1], tensor});
      require(tensors_.emplace(tensor, std::move(entry)).second, "another file has it too");
    } catch (const Error& error) {
      fail("{}: tensor {}: {}.", name, tensor, error.what());
    }
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::int64_t end = 0;
  for (const Range& range : ranges) {
    require(
        range.begin == end,
        "{}: the data of tensor {} begin at byte {}, expected {}: tensors overlap, or leave a gap.",
        name, range.tensor, range.begin, end);
    end = range.end;
  }
  require(end == data_size, "{}: the tensors end at byte {} of the data, but {} are there.", name,
          end, data_size);
  mappings_.push_back(mapping);
}

const SafetensorsEntry& SafetensorsReader::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), "the safetensors files hold no tensor {}.", name);
  return found->second;
}

void SafetensorsReader::read_f32(const std::string& name, float* destination) const {
  const SafetensorsEntry& entry = at(name);
  if (entry.dtype == "F32") {
    convert<float>(entry, destination, [](float value) { return value; });
  } else if (entry.dtype == "BF16") {
    convert<BFloat16>(entry, destination, to_f32);
  } else if (entry.dtype == "F16") {
    convert<std::uint16_t>(entry, destination, from_f16);
  } else if (entry.dtype == "F64") {
    convert<double>(entry, destination, [](double value) { return static_cast<float>(value); });
  } else {
    fail("{}: tensor {} has the dtype {}, expected F32, BF16, F16 or F64.", entry.file.string(),
         name, entry.dtype);
  }
}

std::vector<float> SafetensorsReader::read_f32(const std::string& name) const {
  std::vector<float> values(static_cast<std::size_t>(at(name).numel()));
  read_f32(name, values.data());
  return values;
}

}  // namespace precis
