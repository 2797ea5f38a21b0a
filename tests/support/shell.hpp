// Shell commands: how they end, and what they say.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace precis {

/// How a program ended: its exit status (128 + signal if one ended it), and what it wrote to both
/// of its outputs.
struct Outcome {
  int status = 0;
  std::string output;
};

/// The exit status of a process whose `status` is what waitpid gave.
inline int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

inline Outcome shell(const std::string& command) {
  std::FILE* pipe = popen(("{ " + command + " ; } 2>&1").c_str(), "r");
  if (pipe == nullptr) {
    throw std::system_error(errno, std::generic_category(), command);
  }
  Outcome outcome;
  std::array<char, 4096> part{};
  while (const auto count = std::fread(part.data(), 1, part.size(), pipe)) {
    outcome.output.append(part.data(), count);
  }
  outcome.status = exit_status(pclose(pipe));
  return outcome;
}

/// How often `part` stands in `text`.
inline int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace precis
