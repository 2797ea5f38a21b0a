#include "io/state_file.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "io/digest.hpp"
#include "io/host_name.hpp"
#include "io/hub_name.hpp"

namespace precis {

namespace {

constexpr const char* digest_attribute = "digest";
constexpr std::int64_t slab_bytes = std::int64_t{64} << 20;

std::int64_t product(const Extents& shape) {
  std::int64_t result = 1;
  for (const std::int64_t extent : shape) {
    result *= extent;
  }
  return result;
}

Extents extents_of(const Shape& shape) {
  Extents extents;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    extents.push_back(shape[axis]);
  }
  return extents;
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
}

/// Reads the box (all of the dataset for no axes) in the memory type into `buffer`.
void read_box(hid_t dataset, hid_t memory_type, const Extents& offset, const Extents& extent,
              void* buffer) {
  if (extent.empty()) {
    hdf5::check(H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer),
                "cannot read it");
    return;
  }
  if (product(extent) == 0) {
    return;
  }
  const hdf5::Handle file_space(H5Dget_space(dataset), H5Sclose, "cannot read a shape");
  const std::vector<hsize_t> start(offset.begin(), offset.end());
  const std::vector<hsize_t> count(extent.begin(), extent.end());
  hdf5::check(H5Sselect_hyperslab(file_space.id(), H5S_SELECT_SET, start.data(), nullptr,
                                  count.data(), nullptr),
              "cannot select a box");
  const hdf5::Handle memory_space = hdf5::make_space(extent);
  hdf5::check(
      H5Dread(dataset, memory_type, memory_space.id(), file_space.id(), H5P_DEFAULT, buffer),
      "cannot read it");
}

/// The digest of the content of a dataset of numbers, read in slabs of axis 0.
std::uint64_t digest_of_numbers(hid_t dataset, hid_t type, const Extents& shape) {
  const auto size = static_cast<std::int64_t>(H5Tget_size(type));
  const std::int64_t rows = shape.empty() ? 1 : shape[0];
  const std::int64_t row = product(shape) / std::max<std::int64_t>(rows, 1);
  const std::int64_t step = std::clamp<std::int64_t>(
      slab_bytes / std::max<std::int64_t>(row * size, 1), 1, std::max<std::int64_t>(rows, 1));
  const auto buffer =
      std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(step * row * size));
  std::uint64_t sum = 0;
  for (std::int64_t begin = 0; begin < rows; begin += step) {
    Extents offset(shape.size(), 0);
    Extents extent = shape;
    if (!shape.empty()) {
      offset[0] = begin;
      extent[0] = std::min(step, rows - begin);
    }
    const std::int64_t count = product(extent);
    read_box(dataset, type, offset, extent, buffer.get());
    sum += digest_elements(buffer.get(), size, count, begin * row);
  }
  return sum;
}

/// Reads the box as f32 and rounds to nearest even; HDF5's own conversion rounds ties away from
/// zero.
void read_rounded(hid_t dataset, const Shard& shard, View value) {
  std::vector<float> exact(static_cast<std::size_t>(shard.numel()));
  const hdf5::Handle type = hdf5::type_of(DType::f32);
  read_box(dataset, type.id(), shard.offset, shard.extent, exact.data());
  BFloat16* const rounded = value.data<BFloat16>();
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(exact[i]);
    const std::uint32_t to_even = 0x7fffU + ((bits >> 16) & 1U);
    rounded[i].bits = static_cast<std::uint16_t>(std::isnan(exact[i]) ? (bits >> 16) | 0x40U
                                                                      : (bits + to_even) >> 16);
  }
}

struct Opened {
  hdf5::Handle dataset;
  hdf5::Handle type;
  std::optional<DType> dtype;
  bool is_text;
  Extents shape;
  std::optional<std::uint64_t> digest;
};

Opened open(hid_t file, const std::string& path) {
  hdf5::Handle dataset = hdf5::open_dataset(file, path);
  hdf5::Handle type = hdf5::type_of_dataset(dataset.id());
  const std::optional<DType> dtype = hdf5::dtype_of_type(type.id());
  const bool is_text = H5Tget_class(type.id()) == H5T_STRING;
  Extents shape = hdf5::extents_of_dataset(dataset.id());
  std::optional<std::uint64_t> stored =
      hdf5::read_integer_attribute(dataset.id(), digest_attribute);
  return {std::move(dataset), std::move(type), dtype, is_text, std::move(shape), stored};
}

std::string dtype_name(const Opened& opened) {
  if (opened.is_text) {
    return "text";
  }
  if (opened.dtype) {
    return name_of(*opened.dtype);
  }
  const std::size_t bits = 8 * H5Tget_size(opened.type.id());
  switch (H5Tget_class(opened.type.id())) {
    case H5T_FLOAT:
      return fmt::format("f{}", bits);
    case H5T_INTEGER:
      return fmt::format("{}{}", H5Tget_sign(opened.type.id()) == H5T_SGN_NONE ? "u" : "i", bits);
    default:
      return "other";
  }
}

/// The digest of the content of a dataset.
std::uint64_t digest_of(const Opened& opened) {
  if (opened.is_text) {
    return digest(std::string_view(hdf5::read_text(opened.dataset.id())));
  }
  const H5T_class_t kind = H5Tget_class(opened.type.id());
  const std::size_t size = H5Tget_size(opened.type.id());
  require((kind == H5T_FLOAT || kind == H5T_INTEGER) && size <= 8 && std::has_single_bit(size),
          "found elements that are neither texts nor numbers of at most 64 bits.");
  return digest_of_numbers(opened.dataset.id(), opened.type.id(), opened.shape);
}

/// Calls `act` and puts file and dataset before the message of what it throws.
template <class Act>
auto naming(const std::filesystem::path& file, const std::string& dataset, Act&& act) {
  try {
    return act();
  } catch (const Error& error) {
    fail("{}, dataset {}: {}", file.string(), dataset, error.what());
  }
}

void require_digest(std::uint64_t found, std::optional<std::uint64_t> stored) {
  require(!stored || *stored == found,
          "the data is damaged: its digest is {:016x}, and {:016x} was stored with it.", found,
          stored.value_or(0));
}

/// The path, unless it is a folder: then an error that says which file to give in its place.
const std::filesystem::path& require_no_folder(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  if (const auto download = hub_download(path)) {
    fail(
        "the model file {0} does not exist. If it is a model's name on the Hugging Face hub, "
        "download it first (`{1}`), make a model file (`precis import --from {2} --to {2}.h5`), "
        "and give that.",
        path.string(), download->command, download->folder);
  }
  if (!fs::is_directory(path)) {
    return path;
  }
  if (fs::exists(path / "config.json")) {
    fail(
        "{0} is a Hugging Face folder, where a model file is expected. `precis import --from {0} "
        "--to model.h5` makes one.",
        path.string());
  }
  for (const char* name : {"model.h5", "policy.h5"}) {
    require(!fs::exists(path / name),
            "{} is a run folder, where a model file is expected. Give {}.", path.string(),
            (path / name).string());
  }
  for (const fs::path& folder : {path / "checkpoints", path}) {
    if (const fs::path latest = folder / "latest"; fs::exists(latest)) {
      fail(
          "{} is a folder of a run, where a model file is expected. Give its newest checkpoint, "
          "{}.",
          path.string(), (folder / split(read_file(latest), '\n').front()).string());
    }
  }
  return path;
}

std::string root_if_empty(const std::string& group) { return group.empty() ? "/" : group; }

/// For visits that collect names.
hdf5::Visit into(std::vector<std::string>& names) {
  return [&names](const char* name) { names.emplace_back(name); };
}

}  // namespace

std::string to_string(const Extents& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

StateWriter::StateWriter(const std::filesystem::path& path, std::string_view format,
                         std::function<void()> tick)
    : output_(path), file_(hdf5::create_file(output_.partial_path())), tick_(std::move(tick)) {
  attribute("format", std::string(format));
  attribute("written", utc_now());
  attribute("host", host_name());
  attribute("code", "precis " PRECIS_VERSION);
}

StateWriter::~StateWriter() {
  if (!committed_) {
    (void)hdf5::abandon(file_.id());
  }
}

void StateWriter::attribute(const std::string& name, const std::string& value) {
  naming(output_.path(), name, [&] { hdf5::write_attribute(file_.id(), name, value); });
}

void StateWriter::write(const std::string& path, hid_t type, const Extents& shape, const void* data,
                        std::uint64_t digest) {
  naming(output_.path(), path, [&] {
    hdf5::require_below_limit(file_.id(),
                              static_cast<std::uint64_t>(product(shape)) * H5Tget_size(type));
    const hdf5::Handle space = hdf5::make_space(shape);
    const hdf5::Handle dataset = hdf5::create_dataset(file_.id(), path, type, space.id());
    try {
      if (product(shape) > 0) {
        hdf5::check(H5Dwrite(dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data),
                    "cannot write it");
      }
      hdf5::write_attribute(dataset.id(), digest_attribute, digest);
      hdf5::check(H5Dflush(dataset.id()), "cannot write it");
    } catch (const Error&) {
      (void)hdf5::abandon(file_.id());  // before the dataset is closed
      throw;
    }
  });
  tick_();
}

void StateWriter::text(const std::string& path, const std::string& value) {
  const hdf5::Handle type = hdf5::text_type(std::max<std::size_t>(value.size(), 1));
  write(path, type.id(), {}, value.c_str(), digest(std::string_view(value)));
}

void StateWriter::bytes(const std::string& path, const std::vector<std::uint8_t>& value) {
  tensor(path, view_of(value));
}

void StateWriter::tensor(const std::string& path, ConstView value, const Shard& shard) {
  require(shard.is_whole() && shard.extent == extents_of(value.shape()),
          "{}, dataset {}: found {} of shape {}, expected the whole tensor, as one rank writes.",
          output_.path().string(), path, to_string(shard), to_string(value.shape()));
  const hdf5::Handle type = hdf5::type_of(value.dtype());
  write(path, type.id(), shard.extent, value.bytes(), digest_shard(value, shard));
}

void StateWriter::tensor(const std::string& path, ConstView value) {
  tensor(path, value, whole(extents_of(value.shape())));
}

void StateWriter::commit() {
  const std::string what = "cannot write " + output_.path().string();
  naming(output_.path(), "/", [&] { hdf5::flush(file_.id()); });
  file_.close(what);
  committed_ = true;
  output_.commit();
}

StateReader::StateReader(const std::filesystem::path& path)
    : path_(path), file_(hdf5::open_file(require_no_folder(path))) {
  const std::string found = format();
  require(found.empty() || found == model_format || found == checkpoint_format,
          "{} has the format '{}'. This version of precis reads '{}' and '{}'.", path.string(),
          found, model_format, checkpoint_format);
}

std::string StateReader::attribute(const std::string& name) const {
  return naming(path_, "/",
                [&] { return hdf5::read_text_attribute(file_.id(), name).value_or(""); });
}

std::vector<std::string> StateReader::attributes() const {
  std::vector<std::string> names;
  naming(path_, "/", [&] { hdf5::for_each_attribute(file_.id(), into(names)); });
  return names;
}

bool StateReader::contains(const std::string& path) const {
  return naming(path_, path, [&] { return hdf5::exists(file_.id(), path); });
}

bool StateReader::is_group(const std::string& path) const {
  return naming(path_, path, [&] {
    const hdf5::Handle object(H5Oopen(file_.id(), path.c_str(), H5P_DEFAULT), H5Oclose,
                              "cannot open it");
    return H5Iget_type(object.id()) == H5I_GROUP;
  });
}

DatasetInfo StateReader::info(const std::string& path) const {
  return naming(path_, path, [&] {
    const Opened opened = open(file_.id(), path);
    return DatasetInfo{
        path, dtype_name(opened), opened.shape, opened.digest,
        H5Tget_size(opened.type.id()) * static_cast<std::uint64_t>(product(opened.shape))};
  });
}

std::vector<DatasetInfo> StateReader::datasets(const std::string& group) const {
  std::vector<std::string> names;
  naming(path_, group,
         [&] { hdf5::for_each_dataset(file_.id(), root_if_empty(group), into(names)); });
  std::sort(names.begin(), names.end());
  std::vector<DatasetInfo> result;
  for (const std::string& name : names) {
    result.push_back(info(group.empty() ? name : group + "/" + name));
  }
  return result;
}

std::vector<std::string> StateReader::children(const std::string& group) const {
  std::vector<std::string> names;
  naming(path_, group, [&] { hdf5::for_each_link(file_.id(), root_if_empty(group), into(names)); });
  std::sort(names.begin(), names.end());
  return names;
}

std::string StateReader::text(const std::string& path) const {
  return naming(path_, path, [&] {
    require(hdf5::exists(file_.id(), path), "it is missing; a text is expected.");
    const Opened opened = open(file_.id(), path);
    std::string found = hdf5::read_text(opened.dataset.id());
    require_digest(digest(std::string_view(found)), opened.digest);
    return found;
  });
}

std::vector<std::uint8_t> StateReader::bytes(const std::string& path) const {
  return naming(path_, path, [&] {
    require(hdf5::exists(file_.id(), path), "it is missing; a row of u8 is expected.");
    const Opened opened = open(file_.id(), path);
    require(opened.dtype == DType::u8 && opened.shape.size() == 1,
            "found {} of shape {}, expected a row of u8.", dtype_name(opened),
            to_string(opened.shape));
    std::vector<std::uint8_t> value(static_cast<std::size_t>(opened.shape[0]));
    read_box(opened.dataset.id(), opened.type.id(), {}, {}, value.data());
    require_digest(digest(view_of(value)), opened.digest);
    return value;
  });
}

void StateReader::tensor(const std::string& path, View value, const Shard& shard) const {
  naming(path_, path, [&] {
    require(hdf5::exists(file_.id(), path), "it is missing; {} of shape {} is expected.",
            name_of(value.dtype()), to_string(shard.global_shape));
    const Opened opened = open(file_.id(), path);
    require(opened.shape == shard.global_shape, "found the shape {}, expected {}.",
            to_string(opened.shape), to_string(shard.global_shape));
    require(opened.dtype == value.dtype() ||
                (is_float(value.dtype()) && H5Tget_class(opened.type.id()) == H5T_FLOAT),
            "found elements of type {}, expected {}.", dtype_name(opened), name_of(value.dtype()));
    require(value.numel() == shard.numel(), "the memory has the shape {}, the part {}.",
            to_string(value.shape()), to_string(shard));
    const bool in_place = opened.dtype == value.dtype() && shard.is_whole();
    if (!in_place && opened.digest) {
      require_digest(digest_of(opened), opened.digest);
    }
    if (value.dtype() == DType::bf16 && opened.dtype != DType::bf16) {
      read_rounded(opened.dataset.id(), shard, value);
    } else {
      const hdf5::Handle memory_type = hdf5::type_of(value.dtype());
      read_box(opened.dataset.id(), memory_type.id(), shard.offset, shard.extent, value.bytes());
    }
    if (in_place) {
      require_digest(digest(ConstView(value)), opened.digest);
    }
  });
}

void StateReader::tensor(const std::string& path, View value) const {
  tensor(path, value, whole(extents_of(value.shape())));
}

std::uint64_t StateReader::compute_digest(const std::string& path) const {
  return naming(path_, path, [&] { return digest_of(open(file_.id(), path)); });
}

std::string StateReader::verify(const std::string& path) const {
  try {
    const std::uint64_t found = compute_digest(path);
    const std::optional<std::uint64_t> stored = info(path).digest;
    naming(path_, path, [&] { require_digest(found, stored); });
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace precis
