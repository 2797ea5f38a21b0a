#include "io/hdf5.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"
#include "io/output_file.hpp"

namespace precis::hdf5 {

namespace {

/// Keeps HDF5 from printing its error stack, as errors are thrown, and from closing again at exit
/// what the handles have closed.
void silence() {
  H5dont_atexit();  // fails harmlessly from the second time on
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Handle property_list(hid_t kind) {
  return Handle(H5Pcreate(kind), H5Pclose, "cannot make an HDF5 property list");
}

Handle access_properties() {
  Handle access = property_list(H5P_FILE_ACCESS);
  check(H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG), "cannot choose how HDF5 closes files");
  // Some cluster file systems have no locks. None are needed: a file has its final name only when
  // it is complete, and the run folder has a lock of its own.
  check(H5Pset_file_locking(access.id(), false, true), "cannot turn HDF5 file locks off");
  return access;
}

void without_times(const Handle& properties) {
  check(H5Pset_obj_track_times(properties.id(), false), "cannot turn HDF5 object times off");
}

/// Creates the groups above a dataset one by one: those that HDF5 makes by itself would have times.
void create_groups_above(hid_t file, const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string group = path.substr(0, slash);
    if (exists(file, group)) {
      continue;
    }
    const Handle properties = property_list(H5P_GROUP_CREATE);
    without_times(properties);
    const Handle created(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
                         H5Gclose, fmt::format("cannot create the HDF5 group {}", group));
  }
}

std::string cut_at_end(std::string text) {
  while (!text.empty() && text.back() == '\0') {
    text.pop_back();
  }
  return text;
}

/// Reads one string by `read(memory type, buffer)`; `type` is its type in the file.
template <class Read>
std::string read_string(hid_t type, hid_t space, Read&& read) {
  require(H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1,
          "found something else where a single text was expected");
  if (check(H5Tis_variable_str(type), "cannot read a type") > 0) {
    char* text = nullptr;
    const Handle memory(H5Tcopy(type), H5Tclose, "cannot copy a type");
    read(memory.id(), static_cast<void*>(&text));
    std::string result = text == nullptr ? "" : text;
    H5free_memory(text);
    return result;
  }
  std::string text(H5Tget_size(type), '\0');
  read(type, static_cast<void*>(text.data()));
  return cut_at_end(std::move(text));
}

}  // namespace

std::string take_error_message() {
  struct Innermost {
    std::string message;
    CallbackGuard guard;
  } innermost;
  const auto keep_first = [](unsigned /*depth*/, const H5E_error2_t* error,
                             void* result) -> herr_t {
    auto& into = *static_cast<Innermost*>(result);
    return into.guard.run([&] {
      if (into.message.empty() && error->desc != nullptr) {
        into.message = error->desc;
      }
    });
  };
  // A walk that ended early has still found a message, or none.
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &innermost);
  H5Eclear2(H5E_DEFAULT);
  innermost.guard.check_after(0, "");
  const std::string& message = innermost.message;
  constexpr std::string_view mark = "error message = '";
  if (const std::size_t begin = message.find(mark); begin != std::string::npos) {
    const std::size_t end = message.find('\'', begin + mark.size());
    return message.substr(begin + mark.size(), end - begin - mark.size());
  }
  return message.empty() ? "HDF5 gave no reason" : message;
}

void CallbackGuard::check_after(herr_t result, std::string_view what) {
  if (error_) {
    H5Eclear2(H5E_DEFAULT);
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
  check(result, what);
}

Handle create_file(const std::filesystem::path& path) {
  silence();
  const Handle access = access_properties();
  // The older object headers carry no checksum; the raw data has our digests.
  check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V110, H5F_LIBVER_LATEST),
        "cannot choose the HDF5 format version");
  const Handle creation = property_list(H5P_FILE_CREATE);
  without_times(creation);
  return Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), H5Fclose,
                fmt::format("cannot create {}", path.string()));
}

Handle open_file(const std::filesystem::path& path) {
  require_readable_file(path, "model file or checkpoint");
  require(
      std::filesystem::is_regular_file(path),
      "{} is a pipe or a device. A model file is read from here and there, so that it must be a "
      "regular file: copy it to one first.",
      path.string());
  silence();
  const Handle access = access_properties();
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 == 0) {
    fail(
        "{} is not an HDF5 file. Expected a model file or a checkpoint of precis; `precis import` "
        "makes a model file from a Hugging Face folder.",
        path.string());
  }
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id());
  if (file < 0) {
    const std::string reason = take_error_message();
    fail("{} is damaged: {}.", path.string(),
         reason.starts_with("truncated file")
             ? fmt::format("it is truncated, {} are left",
                           byte_size(std::filesystem::file_size(path)))
             : fmt::format("HDF5 cannot open it ({})", reason));
  }
  return Handle(file, H5Fclose, "cannot open a file");
}

void require_below_limit(hid_t file, std::uint64_t bytes) {
  constexpr std::uint64_t metadata = std::uint64_t{1} << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return;
  }
  hsize_t size = 0;
  check(H5Fget_filesize(file, &size), "cannot tell the size of the file");
  require(size + bytes + metadata <= limit.rlim_cur,
          "cannot write it: File too large. {} are there, {} more and the file's structure would "
          "pass the limit of {} (`ulimit -f`).",
          byte_size(size), byte_size(bytes), byte_size(limit.rlim_cur));
}

void flush(hid_t file) { check(H5Fflush(file, H5F_SCOPE_LOCAL), "cannot write it"); }

namespace {

/// The descriptor of an open file; -1 where its driver has none: the handle of MPI-IO is another.
int descriptor_of(hid_t file) noexcept {
  const hid_t access = H5Fget_access_plist(file);
  if (access < 0) {
    return -1;
  }
  const bool has_one = H5Pget_driver(access) == H5FD_SEC2;
  H5Pclose(access);
  void* handle = nullptr;
  if (!has_one || H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 || handle == nullptr) {
    return -1;
  }
  return *static_cast<int*>(handle);
}

}  // namespace

bool abandon(hid_t file) noexcept {
  const int descriptor = descriptor_of(file);
  const int memory = descriptor < 0 ? -1 : ::memfd_create("abandoned", MFD_CLOEXEC);
  if (memory < 0) {
    return false;
  }
  const bool replaced = ::dup2(memory, descriptor) >= 0;
  ::close(memory);
  return replaced;
}

Handle type_of(DType dtype) {
  const auto copy = [](hid_t type) {
    return Handle(H5Tcopy(type), H5Tclose, "cannot copy an HDF5 type");
  };
  switch (dtype) {
    case DType::f32:
      return copy(H5T_IEEE_F32LE);
    case DType::f64:
      return copy(H5T_IEEE_F64LE);
    case DType::i32:
      return copy(H5T_STD_I32LE);
    case DType::i64:
      return copy(H5T_STD_I64LE);
    case DType::u8:
      return copy(H5T_STD_U8LE);
    case DType::bf16:
      break;
  }
  // Fields before size, and size last: HDF5 refuses a size that the fields do not fit.
  Handle type = copy(H5T_IEEE_F32LE);
  constexpr std::string_view what = "cannot make the HDF5 type bf16";
  check(H5Tset_fields(type.id(), 15, 7, 8, 0, 7), what);
  check(H5Tset_size(type.id(), 2), what);
  check(H5Tset_ebias(type.id(), 127), what);
  return type;
}

Handle text_type(std::size_t bytes) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "cannot copy an HDF5 type");
  check(H5Tset_size(type.id(), bytes), "cannot set the size of a text");
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), "cannot make a text UTF-8");
  check(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "cannot set the padding of a text");
  return type;
}

std::optional<DType> dtype_of_type(hid_t type) {
  constexpr std::array all{DType::f32, DType::f64, DType::bf16, DType::i32, DType::i64, DType::u8};
  for (const DType dtype : all) {
    if (check(H5Tequal(type, type_of(dtype).id()), "cannot compare HDF5 types") > 0) {
      return dtype;
    }
  }
  return std::nullopt;
}

Handle open_dataset(hid_t file, const std::string& path) {
  return Handle(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose,
                fmt::format("cannot open the dataset {}", path));
}

Handle create_dataset(hid_t file, const std::string& path, hid_t type, hid_t space) {
  create_groups_above(file, path);
  const Handle properties = property_list(H5P_DATASET_CREATE);
  without_times(properties);
  // Every element is written; filling first would write large files twice.
  check(H5Pset_fill_time(properties.id(), H5D_FILL_TIME_NEVER), "cannot turn HDF5 filling off");
  return Handle(
      H5Dcreate2(file, path.c_str(), type, space, H5P_DEFAULT, properties.id(), H5P_DEFAULT),
      H5Dclose, fmt::format("cannot create the dataset {}", path));
}

Handle type_of_dataset(hid_t dataset) {
  return Handle(H5Dget_type(dataset), H5Tclose, "cannot read the type of a dataset");
}

Extents extents_of_dataset(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose, "cannot read the shape of a dataset");
  const int rank = check(H5Sget_simple_extent_ndims(space.id()), "cannot read a shape");
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr), "cannot read a shape");
  return {extents.begin(), extents.end()};
}

Handle make_space(const Extents& extents) {
  constexpr std::string_view what = "cannot make an HDF5 dataspace";
  if (extents.empty()) {
    return Handle(H5Screate(H5S_SCALAR), H5Sclose, what);
  }
  const std::vector<hsize_t> sizes(extents.begin(), extents.end());
  return Handle(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose,
                what);
}

bool exists(hid_t file, const std::string& path) {
  // H5Lexists fails where a link above the last is missing, so each is asked for.
  for (std::size_t slash = 0; slash != std::string::npos && !path.empty();) {
    slash = path.find('/', slash + 1);
    const std::string prefix = path.substr(0, slash);
    if (prefix != "/" &&
        check(H5Lexists(file, prefix.c_str(), H5P_DEFAULT), "cannot look up a name") == 0) {
      return false;
    }
  }
  return true;
}

namespace {

struct Visits {
  const Visit& visit;
  CallbackGuard guard;

  static herr_t call(void* visits, const char* name) noexcept {
    auto& self = *static_cast<Visits*>(visits);
    return self.guard.run([&] { self.visit(name); });
  }
};

}  // namespace

void for_each_attribute(hid_t object, const Visit& visit) {
  Visits visits{visit, {}};
  hsize_t index = 0;
  const auto call = [](hid_t, const char* name, const H5A_info_t*, void* data) -> herr_t {
    return Visits::call(data, name);
  };
  visits.guard.check_after(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &index, call, &visits),
                           "cannot list the attributes");
}

void for_each_link(hid_t file, const std::string& group, const Visit& visit) {
  Visits visits{visit, {}};
  hsize_t index = 0;
  const auto call = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    return Visits::call(data, name);
  };
  visits.guard.check_after(H5Literate_by_name(file, group.c_str(), H5_INDEX_NAME, H5_ITER_INC,
                                              &index, call, &visits, H5P_DEFAULT),
                           "cannot list it");
}

void for_each_dataset(hid_t file, const std::string& group, const Visit& visit) {
  Visits visits{visit, {}};
  const auto call = [](hid_t, const char* name, const H5O_info_t* info, void* data) -> herr_t {
    return info->type == H5O_TYPE_DATASET ? Visits::call(data, name) : 0;
  };
  visits.guard.check_after(H5Ovisit_by_name2(file, group.c_str(), H5_INDEX_NAME, H5_ITER_INC, call,
                                             &visits, H5O_INFO_BASIC, H5P_DEFAULT),
                           "cannot list it");
}

void write_attribute(hid_t object, const std::string& name, const std::string& value) {
  const Handle type = text_type(std::max<std::size_t>(value.size(), 1));
  const Handle space = make_space({});
  const std::string what = fmt::format("cannot write the attribute {}", name);
  const Handle attribute(
      H5Acreate2(object, name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      what);
  check(H5Awrite(attribute.id(), type.id(), value.c_str()), what);
}

void write_attribute(hid_t object, const std::string& name, std::uint64_t value) {
  const Handle space = make_space({});
  const std::string what = fmt::format("cannot write the attribute {}", name);
  const Handle attribute(
      H5Acreate2(object, name.c_str(), H5T_STD_U64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose, what);
  check(H5Awrite(attribute.id(), H5T_NATIVE_UINT64, &value), what);
}

std::optional<std::string> read_text_attribute(hid_t object, const std::string& name) {
  const std::string what = fmt::format("cannot read the attribute {}", name);
  if (check(H5Aexists(object, name.c_str()), what) == 0) {
    return std::nullopt;
  }
  const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, what);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose, what);
  const Handle space(H5Aget_space(attribute.id()), H5Sclose, what);
  return read_string(type.id(), space.id(), [&](hid_t memory, void* buffer) {
    check(H5Aread(attribute.id(), memory, buffer), what);
  });
}

std::optional<std::uint64_t> read_integer_attribute(hid_t object, const std::string& name) {
  const std::string what = fmt::format("cannot read the attribute {}", name);
  if (check(H5Aexists(object, name.c_str()), what) == 0) {
    return std::nullopt;
  }
  const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, what);
  const Handle type(H5Aget_type(attribute.id()), H5Tclose, what);
  const Handle space(H5Aget_space(attribute.id()), H5Sclose, what);
  require(H5Tget_class(type.id()) == H5T_INTEGER && H5Sget_simple_extent_npoints(space.id()) == 1,
          "{}: found something else where one integer was expected", what);
  std::uint64_t value = 0;
  check(H5Aread(attribute.id(), H5T_NATIVE_UINT64, &value), what);
  return value;
}

std::string read_text(hid_t dataset) {
  const Handle type = type_of_dataset(dataset);
  const Handle space(H5Dget_space(dataset), H5Sclose, "cannot read the shape of a dataset");
  return read_string(type.id(), space.id(), [&](hid_t memory, void* buffer) {
    check(H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer), "cannot read a text");
  });
}

}  // namespace precis::hdf5
