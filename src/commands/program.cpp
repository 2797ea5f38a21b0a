#include "commands/program.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <optional>
#include <thread>

#include "base/help.hpp"
#include "base/hints.hpp"
#include "base/signals.hpp"
#include "base/system_call.hpp"
#include "base/text.hpp"
#include "commands/aliases.hpp"
#include "commands/separate_outputs.hpp"
#include "commands/slurm_tasks.hpp"
#include "commands/version.hpp"
#include "io/handed_files.hpp"
#include "io/partial_output.hpp"
#include "io/text_file.hpp"
#include "kernels/cpu/isa.hpp"
#include "parallel/agreement.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_session.hpp"

namespace precis {
namespace {

/// Throws Error if what was printed could not be written, for example to a full disk.
void flush_results() {
  if (std::cout.good()) {
    errno = 0;  // an earlier value would not be about this output
  }
  std::cout.flush();
  require_system(std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good(),
                 "Cannot write the results to standard output");
}

void print_results(const std::string& text) {
  std::cout << text;
  flush_results();
}

/// This process's rank as the launcher says, 0 without a launcher: for use before MPI is started.
int launcher_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const char* rank = std::getenv(name)) {
      return std::atoi(rank);
    }
  }
  return 0;
}

/// What "label" alone stands for: the summaries of its second words. Empty if there are none.
std::string group_help(const std::vector<Command>& table, const std::string& group) {
  std::vector<std::pair<std::string, std::string>> summaries;
  for (const Command& command : table) {
    if (command.name.starts_with(group + " ")) {
      summaries.emplace_back(command.name, command.summary);
    }
  }
  return summaries.empty() ? ""
                           : fmt::format("precis {} has these commands:\n\n{}", group,
                                         listed_help(summaries, help_width()));
}

/// Whether this rank reports the signal that ended it. A signal that concerns one process alone
/// (its limit of CPU time) is reported by that rank, any other by rank 0. With several ranks
/// SIGTERM comes from mpirun, because a rank has failed and said so, or because mpirun itself
/// received a signal, which it reports.
bool tells_of(int signal) {
  if (signal == SIGXCPU) {
    return true;
  }
  const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
  const bool by_mpirun = signal == SIGTERM && ranks != nullptr && std::atoi(ranks) > 1;
  return launcher_rank() == 0 && !by_mpirun;
}

/// What a signal does wherever nothing is saved (a training handles signals itself while it has
/// something to save): a message, the removal of incomplete outputs, and the end.
class SignalsEnd {
 public:
  explicit SignalsEnd(Log& log)
      : watch_([&log](const SignalWatch::Received& received) {
          if (tells_of(received.signal)) {
            log.error("{}{} was received: the program ends, and incomplete outputs are removed.",
                      launcher_rank() == 0 ? "" : fmt::format("rank {}: ", launcher_rank()),
                      signal_name(received.signal));
          }
          end_without_partial_outputs(received.signal);
        }) {
    // Beyond `ulimit -f`, a write then fails with an error that names the file.
    std::signal(SIGXFSZ, SIG_IGN);
  }

 private:
  SignalWatch watch_;
};

int run_alone(const Command& command, const std::string& program,
              std::span<const std::string> words, Log& log) {
  OptionTable options{known_aliases()};
  const Command::Run run = command.prepare(options);
  options.parse(words);
  require_separate_outputs(options);
  Context context{
      .program = program, .command = command.name, .options = options, .log = log, .mpi = nullptr};
  const ExitStatus status = run(context);
  flush_results();
  return static_cast<int>(status);
}

/// Prints the failure, unless another rank of the node does, and ends all ranks.
[[noreturn]] void abort_with(const Failure& failure, MpiSession& mpi, Log& log) {
  if (mpi.board().claim_report()) {
    log.error("{}", failure.message);
  } else {
    // The rank that claimed the report is still printing it.
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  mpi.abort(static_cast<int>(failure.status));
}

/// Whether a key may have another value on each rank: `threads`, since nodes may have different
/// numbers of cores, and what a rank computes does not depend on it.
bool may_differ_between_ranks(std::string_view key) { return key == "threads"; }

/// Collective: throws AgreedError unless all ranks run the same command of the same program with
/// the same keys.
void agree_on_command(RankGroup& world, const Command& command, const OptionTable& options) {
  const auto facts = collectively(world, [&] {
    std::vector<Fact> all{{"the command", command.name},
                          {"the program", build_text()},
                          {"the instruction set", cpu::name_of(cpu::chosen_isa())}};
    for (const Option& option : options.options()) {
      if (!may_differ_between_ranks(option.key)) {
        all.push_back({"--" + option.key, option.text()});
      }
    }
    return all;
  });
  agree_on(world, facts,
           "All ranks must be given the same: look for copies of the deck or of the program, and "
           "for environment variables, that differ between the nodes.");
}

/// Collective: reads the command line and the deck, which may come from a stream.
void parse_on_ranks(OptionTable& options, std::span<const std::string> words, MpiSession& mpi) {
  const std::string deck = collectively(mpi.world(), [&] { return options.find_deck(words); });
  const HandedFiles handed(mpi, {deck});
  collectively(mpi.world(), [&] {
    options.parse(words,
                  handed.has(deck) ? std::optional(read_text_file(handed.of(deck))) : std::nullopt);
  });
}

int run_on_ranks(const Command& command, const std::string& program,
                 std::span<const std::string> words, Log& log) {
  // MPI itself may set it for a single rank.
  const bool from_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
  MpiSession mpi;
  log.set_rank(mpi.rank());
  try {
    OptionTable options{known_aliases()};
    const Command::Run run = command.prepare(options);
    parse_on_ranks(options, words, mpi);
    agree_on_command(mpi.world(), command, options);
    collectively(mpi.world(), [&] {
      if (mpi.size() == 1 && !from_mpirun) {
        require_own_outputs_of_task(options, log);
      }
      if (mpi.rank() == 0) {  // which writes them
        require_separate_outputs(options);
      }
    });
    Context context{
        .program = program, .command = command.name, .options = options, .log = log, .mpi = &mpi};
    const ExitStatus status = run(context);
    collectively(mpi.world(), flush_results);
    return static_cast<int>(status);
  } catch (const AgreedError& error) {
    if (error.ranks() == mpi.size()) {
      if (mpi.rank() == 0) {
        log.error("{}{}", error.rank() == 0 ? "" : fmt::format("rank {}: ", error.rank()),
                  error.what());
      }
      return static_cast<int>(error.status());
    }
    abort_with(failure_of(std::current_exception()), mpi, log);
  } catch (...) {
    const Failure failure = failure_of(std::current_exception());
    if (mpi.size() > 1) {
      abort_with(failure, mpi, log);
    }
    log.error("{}", failure.message);
    return static_cast<int>(failure.status);
  }
}

/// The words with "help" and "--help" before a command turned into "--help" behind it.
std::vector<std::string> with_help_behind(std::span<const std::string> words) {
  std::vector<std::string> turned{words.begin(), words.end()};
  if (!words.empty() && (words[0] == "help" || asks_for_help(words.first(1)))) {
    turned.erase(turned.begin());
    std::erase_if(turned, [](const std::string& word) { return asks_for_help({&word, 1}); });
    turned.emplace_back("--help");
  }
  return turned;
}

/// The text of what needs no command: the program's help, a group's help, the version; else empty.
std::string information(const std::vector<Command>& table, std::span<const std::string> words) {
  if (words.empty()) {
    return "";
  }
  if (asks_for_help(words.first(1))) {
    return program_help(table);
  }
  if (words[0] == "--version") {
    return version_text();
  }
  return words.size() == 2 && asks_for_help(words) ? group_help(table, words[0]) : "";
}

int run_words(const std::vector<Command>& table, const std::string& program,
              std::span<const std::string> given, Log& log) {
  const std::vector<std::string> turned = with_help_behind(given);
  const std::span<const std::string> words = turned;
  const bool first_rank = launcher_rank() == 0;
  if (const std::string text = information(table, words); !text.empty()) {
    if (first_rank) {
      print_results(text);
    }
    return static_cast<int>(ExitStatus::done);
  }
  FoundCommand found{};
  try {
    found = find_command(table, words);
  } catch (const UsageError& error) {
    // Every rank finds the same.
    if (first_rank) {
      log.error("{}", error.what());
    }
    return static_cast<int>(error.status());
  }
  const Command& command = *found.command;
  const auto arguments = words.subspan(found.words);
  if (asks_for_help(arguments)) {
    if (first_rank) {
      OptionTable options;
      const Command::Run owns_the_variables = command.prepare(options);
      print_results(command_help(command.name, command.summary, options, help_width()));
    }
    return static_cast<int>(ExitStatus::done);
  }
  if (command.mpi == Mpi::yes) {
    return run_on_ranks(command, program, arguments, log);
  }
  // Started on several ranks, a command without MPI still runs once: its outputs have one name.
  return first_rank ? run_alone(command, program, arguments, log)
                    : static_cast<int>(ExitStatus::done);
}

/// What the first word, or the first two, may have meant. A command of two words is looked up as a
/// key is, the first word being its section.
Hint command_meant_by(const std::vector<Command>& table, std::span<const std::string> words) {
  std::vector<std::string> names;
  for (const Command& command : table) {
    const auto blank = command.name.find(' ');
    names.push_back(command.name);
    if (blank != std::string::npos) {
      names.back()[blank] = '.';
      if (const std::string group = command.name.substr(0, blank);
          std::find(names.begin(), names.end(), group) == names.end()) {
        names.push_back(group);
      }
    }
  }
  Hint hint;
  if (words.size() > 1 && words[1].find('.') == std::string::npos && !words[1].starts_with('-')) {
    hint = meant_by(words[0] + "." + words[1], names);
  }
  // In other programs `train` means `sft`, which is meant rather than the second word of `bench
  // train`.
  std::vector<std::string> of_one_word;
  std::copy_if(names.begin(), names.end(), std::back_inserter(of_one_word),
               [](const std::string& name) { return name.find('.') == std::string::npos; });
  for (const auto* from : {&of_one_word, &names}) {
    if (hint.words.empty()) {
      hint = meant_by(words[0], *from, command_aliases());
    }
  }
  for (std::string& name : hint.words) {
    std::replace(name.begin(), name.end(), '.', ' ');
  }
  return hint;
}

}  // namespace

FoundCommand find_command(const std::vector<Command>& table, std::span<const std::string> words) {
  if (words.empty()) {
    fail_usage("A command is missing. `precis --help` lists them.");
  }
  const std::string& one = words[0];
  if (one.empty()) {
    fail_usage(
        "The first argument is empty, where a command is expected: perhaps a variable that is "
        "not set. `precis --help` lists the commands.");
  }
  const std::string two = words.size() > 1 ? one + " " + words[1] : one;
  std::vector<std::string> names;
  std::vector<std::string> seconds;
  std::vector<std::string> second_words;
  for (const Command& command : table) {
    if (command.name == one || command.name == two) {
      return {&command, command.name == one ? 1U : 2U};
    }
    names.push_back(command.name);
    if (command.name.starts_with(one + " ")) {
      seconds.push_back(command.name);
      second_words.push_back(command.name.substr(one.size() + 1));
    }
  }
  if (!seconds.empty()) {
    const Hint hint = words.size() > 1 ? meant_by(words[1], second_words) : Hint{};
    fail_usage("{} is not a command. Expected one of: {}.{}", two, joined(seconds, ", "),
               question(hint, one + " "));
  }
  fail_usage("{} is not a command.{} The commands are: {}.", one,
             question(command_meant_by(table, words)), joined(names, ", "));
}

std::string program_help(const std::vector<Command>& table) {
  std::string text =
      "precis COMMAND [DECK.cfg] [--key VALUE | --key=VALUE ...]\n\n"
      "Learning to summarize from human feedback: fine-tuning, a reward model, PPO.\n\n";
  std::vector<std::pair<std::string, std::string>> summaries;
  for (const Command& command : table) {
    summaries.emplace_back(command.name, command.summary);
  }
  return text + listed_help(summaries, help_width()) +
         "\nprecis COMMAND --help shows every key of a command; precis --version the libraries.\n\n"
         "  precis synthesize --output data --posts 32000 --seed 1\n"
         "  precis tokenizer --input data/train.jsonl --vocab 1024 --output tokenizer.json\n"
         "  mpirun -n 2 precis sft inputs/quickstart_sft.cfg --run runs/sft \\\n"
         "    --tokenizer tokenizer.json --data.train data/train.jsonl\n"
         "  precis sample --model runs/sft/model.h5 --input data/test.jsonl \\\n"
         "    --output out.jsonl\n";
}

int run_program(const std::vector<Command>& table, const std::string& program,
                std::span<const std::string> words, Log& log) {
  try {
    const SignalsEnd signals(log);
    return run_words(table, program, words, log);
  } catch (...) {
    const Failure failure = failure_of(std::current_exception());
    log.error("{}", failure.message);
    return static_cast<int>(failure.status);
  }
}

}  // namespace precis
