#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "io/float16.hpp"
#include "io/output_file.hpp"
#include "io/safetensors.hpp"

namespace precis {

namespace {

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::f64:
      return "F64";
    case DType::bf16:
      return "BF16";
    case DType::i32:
      return "I32";
    case DType::i64:
      return "I64";
    case DType::u8:
      return "U8";
  }
  return "";
}

const char* dtype_name(const SafetensorsTensor& tensor) {
  switch (tensor.as) {
    case WeightDType::bf16:
      return "BF16";
    case WeightDType::f16:
      return "F16";
    case WeightDType::f32:
      break;
  }
  return dtype_name(tensor.value.dtype());
}

std::int64_t stored_bytes(const SafetensorsTensor& tensor) {
  constexpr std::int64_t bytes_of_16_bits = 2;
  return tensor.as == WeightDType::f32 ? tensor.value.size_bytes()
                                       : tensor.value.numel() * bytes_of_16_bits;
}

/// Writes f32 elements as 16-bit ones, some at a time.
void write_rounded(OutputFile& file, const SafetensorsTensor& tensor) {
  constexpr std::int64_t piece = std::int64_t{1} << 16;
  const bool half = tensor.as == WeightDType::f16;
  const std::uint16_t infinity = half ? 0x7c00U : 0x7f80U;
  const float* const values = tensor.value.data<float>();
  std::vector<std::uint16_t> stored;
  for (std::int64_t begin = 0; begin < tensor.value.numel(); begin += piece) {
    const std::int64_t end = std::min(begin + piece, tensor.value.numel());
    stored.clear();
    for (std::int64_t i = begin; i < end; ++i) {
      stored.push_back(half ? to_f16(values[i]) : to_bf16(values[i]).bits);
      require((stored.back() & 0x7fffU) < infinity,
              "The tensor {} holds {}, which {} cannot represent: its largest number is {}. Write "
              "the weights as f32{}.",
              tensor.name, values[i], half ? "f16" : "bf16", half ? "65504" : "3.39e38",
              half ? " or bf16" : "");
    }
    file.write(
        {reinterpret_cast<const char*>(stored.data()), stored.size() * sizeof(stored.front())});
  }
}

}  // namespace

void write_safetensors(const std::filesystem::path& path,
                       const std::vector<SafetensorsTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::int64_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    std::vector<std::int64_t> shape;
    for (int axis = 0; axis < tensor.value.shape().rank(); ++axis) {
      shape.push_back(tensor.value.extent(axis));
    }
    require(!header.contains(tensor.name), "the tensor {} is to be written to {} twice.",
            tensor.name, path.string());
    require(tensor.as == WeightDType::f32 || tensor.value.dtype() == DType::f32,
            "The tensor {} is {}; only f32 is rounded on writing.", tensor.name,
            name_of(tensor.value.dtype()));
    const std::int64_t end = offset + stored_bytes(tensor);
    header[tensor.name] = {
        {"dtype", dtype_name(tensor)}, {"shape", shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  // The data begin at a multiple of 8 bytes, as the format asks for.
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t header_size = text.size();

  OutputFile file(path);
  file.write({reinterpret_cast<const char*>(&header_size), sizeof(header_size)});
  file.write(text);
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.as != WeightDType::f32) {
      write_rounded(file, tensor);
      continue;
    }
    file.write({reinterpret_cast<const char*>(tensor.value.bytes()),
                static_cast<std::size_t>(tensor.value.size_bytes())});
  }
  file.commit();
}

}  // namespace precis
