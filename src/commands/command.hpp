// What a subcommand is: a name, its options, and the function that runs it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/options.hpp"

namespace precis {

class MpiSession;

/// What a running command is given besides its own options.
struct Context {
  const std::string& program;  ///< as it was started, argv[0]
  const std::string& command;  ///< the command's name
  OptionTable& options;        ///< after parsing: `given`, `effective_deck`
  Log& log;                    ///< rank 0 writes; results go to stdout
  MpiSession* mpi;             ///< null in a command that does not start MPI
};

/// Whether a command starts MPI: those that work on login nodes do not.
enum class Mpi { no, yes };

/// One line of the command table.
struct Command {
  using Run = std::function<ExitStatus(Context&)>;

  std::string name;     ///< one word, or two ("label simulate")
  std::string summary;  ///< for `precis --help`: "compare two files", lower case, no full stop
  Mpi mpi;
  /// Registers the command's options in the table and gives the function that runs with them.
  std::function<Run(OptionTable&)> prepare;
};

/// A command from its three parts: a struct of options with their defaults, a function that
/// registers them, and a function that runs. Under MPI the keys are parsed, and their errors
/// agreed, before `run`; what `run` then checks on its own belongs in `collectively` where one rank
/// alone may fail, because an error that only some ranks throw ends in MPI_Abort.
template <class Options>
[[nodiscard]] Command make_command(std::string name, std::string summary, Mpi mpi,
                                   void (*add_options)(OptionTable&, Options&),
                                   ExitStatus (*run)(Context&, Options&)) {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .mpi = mpi,
          .prepare = [add_options, run](OptionTable& table) -> Command::Run {
            auto options = std::make_shared<Options>();
            add_options(table, *options);
            return [options, run](Context& context) { return run(context, *options); };
          }};
}

/// Every command that exists, in the order of `precis --help` (command_table.cpp).
[[nodiscard]] std::vector<Command> command_table();

}  // namespace precis
