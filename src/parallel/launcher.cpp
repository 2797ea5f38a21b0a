#include "parallel/launcher.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

namespace precis {
namespace {

/// proc(5): "PID (NAME) STATE PPID PGRP SESSION TTY ...".
struct ProcessLine {
  std::string name;
  int terminal = 0;
};

std::optional<ProcessLine> read_process(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string line;
  std::getline(file, line);
  const auto begin = line.find('(');
  const auto end = line.rfind(')');
  if (begin == std::string::npos || end == std::string::npos) {
    return std::nullopt;
  }
  ProcessLine out{.name = line.substr(begin + 1, end - begin - 1)};
  std::istringstream rest(line.substr(end + 1));
  std::string state;
  int parent = 0;
  int group = 0;
  int session = 0;
  rest >> state >> parent >> group >> session >> out.terminal;
  return out;
}

bool begins_with_one_of(std::string_view name, std::span<const std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return name.starts_with(beginning); });
}

}  // namespace

std::optional<Mpirun> find_mpirun() {
  constexpr std::array<std::string_view, 4> launchers{"mpirun", "mpiexec", "orterun", "prterun"};
  constexpr std::array<std::string_view, 2> daemons{"orted", "prted"};
  const pid_t parent = ::getppid();
  const auto process = read_process(parent);
  if (process && begins_with_one_of(process->name, launchers)) {
    return Mpirun{.process = parent, .terminal = process->terminal != 0};
  }
  if (process && begins_with_one_of(process->name, daemons)) {
    return Mpirun{};
  }
  return std::nullopt;
}

}  // namespace precis
