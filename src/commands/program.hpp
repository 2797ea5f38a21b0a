// The program around its commands: finding one, its help, MPI, and the one message of an error.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "commands/command.hpp"

namespace precis {

/// Runs the program with the words after its name: finds the command, prints help or the version,
/// or parses the command's options and runs it, under MPI if it says so. An error that all ranks
/// agreed on is printed by rank 0, and every rank returns its status; an error of one rank alone is
/// printed by that rank and ends the job with MPI_Abort. Returns the exit status.
[[nodiscard]] int run_program(const std::vector<Command>& table, const std::string& program,
                              std::span<const std::string> words, Log& log);

/// `precis --help`: the commands, one line each, and three examples.
[[nodiscard]] std::string program_help(const std::vector<Command>& table);

/// The command that the first word, or the first two, name, and how many words that took. Throws
/// UsageError with the commands, naming one that may be meant.
struct FoundCommand {
  const Command* command;
  std::size_t words;
};
[[nodiscard]] FoundCommand find_command(const std::vector<Command>& table,
                                        std::span<const std::string> words);

}  // namespace precis
