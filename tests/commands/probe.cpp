// A program around commands that fail in every way; program_test.cpp runs it, also under mpirun.
#include <chrono>
#include <iostream>
#include <new>
#include <thread>

#include "commands/program.hpp"
#include "commands/row_output.hpp"
#include "io/output_file.hpp"
#include "io/output_folder.hpp"
#include "parallel/collectively.hpp"
#include "parallel/mpi_session.hpp"

namespace precis {
namespace {

struct Options {
  std::int64_t count = 3;
  std::string text;
};

void add_options(OptionTable& table, Options& options) {
  table.add("count", &options.count, {.unit = "rows", .meaning = "how many"});
  table.add("text", &options.text, {.meaning = "what to print"});
}

ExitStatus print(Context& context, Options& options) {
  std::cout << context.command << ' ' << options.count << ' ' << options.text << '\n';
  return ExitStatus::done;
}

ExitStatus stop_early(Context& /*context*/, Options& /*options*/) {
  return ExitStatus::stopped_early;
}

ExitStatus exhaust_memory(Context& /*context*/, Options& /*options*/) { throw std::bad_alloc(); }

ExitStatus print_ranks(Context& context, Options& options) {
  context.log.info("{} ranks", context.mpi->size());
  return context.mpi->rank() == 0 ? print(context, options) : ExitStatus::done;
}

/// Every rank makes `count` lines of a MiB, each of the rank's digit; the file is named by `text`.
ExitStatus write_rows(Context& context, Options& options) {
  RowOutput output(context.mpi->world(), options.text);
  const char digit = static_cast<char>('0' + context.mpi->rank());
  output.finish(std::vector<std::string>(static_cast<std::size_t>(options.count),
                                         std::string((std::size_t{1} << 20) - 1, digit)));
  return ExitStatus::done;
}

/// Begins the file that `text` names and a folder beside it, and never ends.
ExitStatus write_for_ever(Context& /*context*/, Options& options) {
  OutputFile file(options.text);
  const OutputFolder folder(options.text + "_folder", {});
  write_file(folder.partial_path() / "a", "b");
  file.write(std::string(std::size_t{3} << 20, 'x'));
  std::cout << "begun" << std::endl;
  for (;;) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

/// `count` MiB into the file that `text` names.
ExitStatus write_much(Context& /*context*/, Options& options) {
  write_file(options.text, std::string(static_cast<std::size_t>(options.count) << 20, 'x'));
  return ExitStatus::done;
}

/// The last rank fails at a point where all agree.
ExitStatus fail_agreed(Context& context, Options& /*options*/) {
  collectively(context.mpi->world(), [&] {
    require(context.mpi->rank() + 1 < context.mpi->size(), "The last rank has failed.");
  });
  return ExitStatus::done;
}

/// The last rank fails while the others wait for it.
ExitStatus fail_alone(Context& context, Options& /*options*/) {
  require(context.mpi->rank() + 1 < context.mpi->size(), "One rank has failed.");
  context.mpi->world().barrier();
  return ExitStatus::done;
}

/// Every rank fails by itself, without agreement.
ExitStatus fail_everywhere(Context& /*context*/, Options& /*options*/) {
  fail_usage("Every rank has failed.");
}

std::vector<Command> probe_table() {
  return {
      make_command("print", "print the options", Mpi::no, add_options, print),
      make_command("group one", "be the first of a group", Mpi::no, add_options, print),
      make_command("group two", "be the second of a group", Mpi::no, add_options, print),
      make_command("stop", "stop early", Mpi::no, add_options, stop_early),
      make_command("exhaust", "use up the memory", Mpi::no, add_options, exhaust_memory),
      make_command("forever", "write without end", Mpi::no, add_options, write_for_ever),
      make_command("much", "write a large file", Mpi::no, add_options, write_much),
      make_command("ranks", "print once", Mpi::yes, add_options, print_ranks),
      make_command("rows", "write rows", Mpi::yes, add_options, write_rows),
      make_command("agreed", "fail on all ranks", Mpi::yes, add_options, fail_agreed),
      make_command("everywhere", "fail on each rank", Mpi::yes, add_options, fail_everywhere),
      make_command("alone", "fail on one rank", Mpi::yes, add_options, fail_alone),
  };
}

}  // namespace
}  // namespace precis

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  precis::Log log;
  return precis::run_program(precis::probe_table(), argv[0], words, log);
}
