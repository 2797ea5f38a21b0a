#include "io/text_file.hpp"

#include "base/error.hpp"
#include "base/list_text.hpp"
#include "base/system_call.hpp"
#include "io/descriptor.hpp"
#include "io/row_file.hpp"

#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

namespace precis {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 18;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

void require_there(bool there, const std::string& name) {
  require(there, "{}: the file does not exist. {}", name,
          names_open_file(name)
              ? "The launcher of the ranks did not pass it on: give /dev/stdin or a named pipe."
          : name == "-" ? "Standard input is named /dev/stdin."
                        : "Check the path.");
}

/// The bytes of a file as they are.
GzipReader::Source open_file(const InputFile& input) {
  std::error_code ignored;
  const auto status = std::filesystem::status(input.path, ignored);
  require_there(status.type() != std::filesystem::file_type::not_found, input.name);
  require(status.type() != std::filesystem::file_type::directory,
          "{}: this is a folder; expected a file.", input.name);
  const int descriptor = ::open(input.path.c_str(), O_RDONLY | O_CLOEXEC);
  require_system(descriptor >= 0, "{}: cannot be opened for reading", input.name);
  return [file = std::make_shared<Descriptor>(descriptor), name = input.name](char* to,
                                                                              std::size_t size) {
    ssize_t count = 0;
    do {
      count = ::read(file->get(), to, size);
    } while (count < 0 && errno == EINTR);
    require_system(count >= 0, "{}: cannot be read", name);
    return static_cast<std::size_t>(count);
  };
}

/// The name of an existing file of which the list's item i and its neighbours are parts between
/// commas; empty if there is none.
std::string name_with_commas(const std::vector<std::string>& items, std::size_t i) {
  constexpr std::size_t most_parts = 4;
  for (std::size_t first = i - std::min(i, most_parts - 1); first <= i; ++first) {
    std::vector<std::string> names = {items[first]};
    for (std::size_t last = first + 1; last < std::min(items.size(), first + most_parts); ++last) {
      std::vector<std::string> longer;
      for (const std::string& name : names) {
        for (const char* comma : {",", ", "}) {  // blanks around an item are not kept
          longer.push_back(name + comma + items[last]);
          std::error_code ignored;
          if (last >= i && std::filesystem::exists(longer.back(), ignored)) {
            return longer.back();
          }
        }
      }
      names = std::move(longer);
    }
  }
  return {};
}

}  // namespace

LineReader::LineReader(InputFile file)
    : input_(std::move(file)), file_(open_file(input_), input_.name), buffer_(buffer_bytes) {}

bool LineReader::fill() {
  used_ = 0;
  filled_ = file_.read(buffer_.data(), buffer_.size());
  return filled_ > 0;
}

bool LineReader::next(std::string& line) {
  line.clear();
  bool found = false;
  while (used_ < filled_ || fill()) {
    found = true;
    const char* begin = buffer_.data() + used_;
    const auto* end = static_cast<const char*>(std::memchr(begin, '\n', filled_ - used_));
    if (end == nullptr) {
      line.append(begin, filled_ - used_);
      used_ = filled_;
      continue;
    }
    line.append(begin, end);
    used_ += static_cast<std::size_t>(end - begin) + 1;
    break;
  }
  if (!found) {
    return false;
  }
  ++line_number_;
  if (line.ends_with('\r')) {
    line.pop_back();
  }
  if (line_number_ == 1 && line.starts_with(byte_order_mark)) {
    line.erase(0, byte_order_mark.size());
  }
  return true;
}

std::string read_text_file(const InputFile& input) {
  GzipReader file(open_file(input), input.name);
  std::string bytes;
  std::vector<char> buffer(buffer_bytes);
  while (const std::size_t count = file.read(buffer.data(), buffer.size())) {
    bytes.append(buffer.data(), count);
  }
  if (bytes.starts_with(byte_order_mark)) {
    bytes.erase(0, byte_order_mark.size());
  }
  return bytes;
}

bool names_open_file(std::string_view name) {
  return name == "/dev/stdin" || name.starts_with("/dev/fd/") || name.starts_with("/proc/self/fd/");
}

bool is_stream(const InputFile& input) {
  std::error_code ignored;
  const auto status = std::filesystem::status(input.name, ignored);
  const bool handed_on = input.path != input.name;
  return (handed_on && names_open_file(input.name)) ||
         (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status));
}

std::vector<std::string> expand_files(const std::vector<std::string>& patterns,
                                      const std::function<bool(const std::string&)>& is_known) {
  std::vector<std::string> files;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const std::string& pattern = patterns[i];
    if (pattern.empty()) {
      fail_usage("A list of files has an empty name. Write names or globs separated by commas.");
    }
    if ((is_known && is_known(pattern)) || names_open_file(pattern) ||
        std::filesystem::exists(pattern)) {
      files.push_back(pattern);
      continue;
    }
    if (pattern.find_first_of("*?[") == std::string::npos) {
      const std::string whole = name_with_commas(patterns, i);
      require_there(!whole.empty(), pattern);
      fail(
          "{}: the file does not exist, but {} does. In a list of files a comma within a name is "
          "written \\, as here: '{}'.",
          pattern, whole, list_text(std::vector{whole}));
    }
    glob_t matches{};
    const int code = glob(pattern.c_str(), GLOB_ERR, nullptr, &matches);
    const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&matches, globfree);
    require(code != GLOB_NOMATCH, "{}: no file matches this pattern.", pattern);
    require_system(code == 0, "{}: the pattern could not be expanded", pattern);
    files.insert(files.end(), matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  return files;
}

std::vector<std::string> expand_files(const std::vector<std::string>& patterns) {
  return expand_files(patterns, nullptr);
}

}  // namespace precis
