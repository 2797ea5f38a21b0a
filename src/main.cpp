#include <string>
#include <vector>

#include "commands/program.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  precis::Log log;
  return precis::run_program(precis::command_table(), argc > 0 ? argv[0] : "precis", words, log);
}
