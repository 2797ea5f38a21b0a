#include "io/partial_output.hpp"

#include <cstdlib>
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

// A signal concerns the whole process, and so does what must be removed: this cannot be passed as
// an argument.
Unfinished& unfinished() {
  static Unfinished all;
  return all;
}

/// To be called with the lock held.
void remove_unfinished() {
  for (const std::filesystem::path& path : unfinished().paths) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
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
  remove_unfinished();
  end_by_signal(signal);
}

void end_without_partial_outputs(ExitStatus status) {
  const std::lock_guard until_the_end(unfinished().mutex);
  remove_unfinished();
  std::_Exit(static_cast<int>(status));
}

}  // namespace precis
