#include "commands/slurm_tasks.hpp"

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace precis {
namespace {

std::optional<std::int64_t> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) {
    return std::nullopt;
  }
  const std::string_view all(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), number);
  return error == std::errc() && end == all.data() + all.size() ? std::optional(number)
                                                                : std::nullopt;
}

/// The tasks of the step that this process is one of; 1 outside steps. A batch script has
/// SLURM_NTASKS and SLURM_PROCID (0) as well, but nothing of a step.
std::int64_t tasks_of_step(std::int64_t task) {
  if (const auto tasks = number_in("SLURM_STEP_NUM_TASKS")) {
    return *tasks;
  }
  const bool in_step = task > 0 || std::getenv("SLURM_STEP_ID") != nullptr;
  return in_step ? number_in("SLURM_NTASKS").value_or(1) : 1;
}

/// Whether the number appears in the text by itself: in "runs/3", "run-3" and "run_3.jsonl", but
/// not in "run3", as many names end in a digit by chance.
bool has_number(std::string_view text, std::int64_t number) {
  const std::string wanted = std::to_string(number);
  const auto is_bound = [&](std::size_t place) {
    return place >= text.size() || std::isalnum(static_cast<unsigned char>(text[place])) == 0;
  };
  for (auto at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
    if ((at == 0 || is_bound(at - 1)) && is_bound(at + wanted.size())) {
      return true;
    }
  }
  return false;
}

}  // namespace

void require_own_outputs_of_task(const OptionTable& options, Log& log) {
  const std::int64_t task = number_in("SLURM_PROCID").value_or(0);
  const std::int64_t tasks = tasks_of_step(task);
  if (tasks <= 1) {
    return;
  }
  const std::string found = fmt::format(
      "This is task {} of {} of a Slurm step, but MPI knows of one rank only: each task is a run "
      "of its own.",
      task, tasks);
  constexpr std::string_view remedy =
      "Start them by `srun --mpi=pmix` (`srun --mpi=list` shows what there is), or by mpirun, to "
      "work together.";
  bool writes = false;
  for (const Option& option : options.options()) {
    const std::string name = option.text();
    if (option.info.file != FileUse::output || name.empty()) {
      continue;
    }
    writes = true;
    if (!has_number(name, task)) {
      fail_usage(
          "{} All would write --{} {}. {} If each is to work for itself, give each a name of its "
          "own with the task's number behind a -, _ or /: `bash -c 'precis ... --{} "
          "NAME-$SLURM_PROCID'`.",
          found, option.key, name, remedy, option.key);
    }
  }
  if (!writes) {
    log.warning("{} {}", found, remedy);
  }
}

}  // namespace precis
