#include "io/partial_output.hpp"

#include <mutex>
#include <set>
#include <system_error>
#include <utility>

#include "base/signals.hpp"

namespace precis {
namespace {

struct Unfinished {
  std::mutex mutex;
  std::multiset<std::filesystem::path> paths;
};

// A signal is the process's, and so is what it has to leave behind: nobody could hand this on.
Unfinished& unfinished() {
  static Unfinished all;
  return all;
}

}  // namespace

PartialOutput::PartialOutput(std::filesystem::path path) : path_(std::move(path)) {
  const std::lock_guard lock(unfinished().mutex);
  unfinished().paths.insert(path_);
}

PartialOutput::~PartialOutput() {
  const std::lock_guard lock(unfinished().mutex);
  unfinished().paths.erase(unfinished().paths.find(path_));
}

void end_without_partial_outputs(int signal) {
  const std::lock_guard until_the_end(unfinished().mutex);
  for (const std::filesystem::path& path : unfinished().paths) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  end_by_signal(signal);
}

}  // namespace precis
