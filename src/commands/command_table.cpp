#include "commands/commands.hpp"

namespace precis {

std::vector<Command> command_table() {
  return {
      import_command(),
      export_command(),
      inspect_command(),
  };
}

}  // namespace precis
