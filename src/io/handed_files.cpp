#include "io/handed_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "base/system_call.hpp"
#include "base/text.hpp"
#include "io/descriptor.hpp"
#include "io/row_file.hpp"
#include "io/text_file.hpp"
#include "parallel/collectively.hpp"
#include "parallel/launcher.hpp"

namespace precis {

namespace {

namespace fs = std::filesystem;

/// The size of a piece that is read, sent and written at a time.
constexpr std::size_t piece_bytes = std::size_t{16} << 20;

/// The name that rank 0 opens: for a process substitution ("/dev/fd/63") under mpirun that of
/// mpirun's descriptor, since mpirun does not pass it on to its ranks.
std::string name_to_open(const std::string& name) {
  const auto mpirun = find_mpirun();
  if (!names_open_file(name) || name == "/dev/stdin" || !mpirun || mpirun->process == 0) {
    return name;
  }
  const std::string number = name.substr(name.rfind('/') + 1);
  return number == "0" ? name : fmt::format("/proc/{}/fd/{}", mpirun->process, number);
}

/// Whether rank 0 has to read the file for all.
bool is_read_once(const std::string& name, int ranks) {
  std::error_code ignored;
  const fs::file_status status = fs::status(name_to_open(name), ignored);
  if (!fs::exists(status) || fs::is_directory(status)) {
    return false;
  }
  // The other ranks' standard input is another one, even where rank 0's is a file.
  return !fs::is_regular_file(status) || (ranks > 1 && names_open_file(name));
}

std::vector<std::string> names_read_once(const std::vector<std::string>& names, int ranks) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    std::error_code ignored;
    const bool glob = !fs::exists(name, ignored) && name.find_first_of("*?[") != std::string::npos;
    for (const std::string& file : glob ? expand_files({name}) : std::vector{name}) {
      if (is_read_once(file, ranks) && std::find(found.begin(), found.end(), file) == found.end()) {
        found.push_back(file);
      }
    }
  }
  return found;
}

Descriptor open_stream(const std::string& name) {
  const std::string path = name_to_open(name);
  Descriptor stream(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require_system(stream.get() >= 0, "{}: cannot be opened for reading", name);
  return stream;
}

/// The next piece of a stream; empty at its end.
std::string next_piece(int stream, const std::string& name) {
  std::string piece(piece_bytes, '\0');
  std::size_t filled = 0;
  while (filled < piece.size()) {
    const ssize_t count = ::read(stream, piece.data() + filled, piece.size() - filled);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    require_system(count >= 0, "{}: cannot be read", name);
    if (count == 0) {
      break;
    }
    filled += static_cast<std::size_t>(count);
  }
  piece.resize(filled);
  return piece;
}

std::string temporary_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder == nullptr || *folder == '\0' ? "/tmp" : folder;
}

constexpr fmt::format_string<std::string> cannot_keep =
    "What all ranks read cannot be kept in {} (TMPDIR names another folder)";

/// A new file in the folder for temporary files; `path` becomes its name.
Descriptor make_kept_file(std::string& path) {
  path = temporary_folder() + "/precis-input-XXXXXX";
  Descriptor file(::mkostemp(path.data(), O_CLOEXEC));
  require_system(file.get() >= 0, cannot_keep, temporary_folder());
  return file;
}

void write_kept(int file, std::string_view piece) {
  while (!piece.empty()) {
    const ssize_t count = ::write(file, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    require_system(count >= 0, cannot_keep, temporary_folder());
    piece.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// Removes a file's name at the end of its life, whatever happens.
class Name {
 public:
  std::string path;
  Name() = default;
  ~Name() {
    if (!path.empty()) {
      ::unlink(path.c_str());
    }
  }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
};

/// Collective: this rank's descriptor of what rank 0 reads under the name.
int hand_on(MpiSession& mpi, const std::string& name) {
  RankGroup& world = mpi.world();
  const bool keeps = mpi.node_rank() == 0;
  Descriptor stream;
  Descriptor kept;
  Name kept_name;
  collectively(world, [&] {
    if (world.rank() == 0) {
      stream = open_stream(name);
    }
    if (keeps) {
      kept = make_kept_file(kept_name.path);
    }
  });
  while (true) {
    std::string piece = collectively(
        world, [&] { return world.rank() == 0 ? next_piece(stream.get(), name) : std::string(); });
    piece = world.broadcast_text(piece, 0);
    if (piece.empty()) {
      break;
    }
    collectively(world, [&] {
      if (keeps) {
        write_kept(kept.get(), piece);
      }
    });
  }
  const std::string path = mpi.node().broadcast_text(kept_name.path, 0);
  collectively(world, [&] {
    if (!keeps) {
      kept = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      require_system(kept.get() >= 0, "{}, which was handed on in {}, cannot be read", name, path);
    }
  });
  return kept.release();
}

}  // namespace

HandedFiles::HandedFiles(MpiSession& mpi, const std::vector<std::string>& names) {
  RankGroup& world = mpi.world();
  const auto found = collectively(world, [&] {
    return world.rank() == 0 ? names_read_once(names, world.size()) : std::vector<std::string>();
  });
  const auto count =
      static_cast<std::size_t>(all_max(world, static_cast<std::int64_t>(found.size())));
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = world.broadcast_text(world.rank() == 0 ? found[i] : "", 0);
    descriptors_[name] = hand_on(mpi, name);
  }
}

HandedFiles::~HandedFiles() {
  for (const auto& [name, descriptor] : descriptors_) {
    ::close(descriptor);
  }
}

InputFile HandedFiles::of(const std::string& name) const {
  const auto found = descriptors_.find(name);
  return found == descriptors_.end()
             ? InputFile(name)
             : InputFile(name, fmt::format("/proc/self/fd/{}", found->second));
}

std::vector<InputFile> HandedFiles::expand(const std::vector<std::string>& patterns) const {
  std::vector<InputFile> files;
  for (const std::string& file :
       expand_files(patterns, [this](const std::string& name) { return has(name); })) {
    files.push_back(of(file));
  }
  return files;
}

}  // namespace precis
