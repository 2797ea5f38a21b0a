// What every command's keys have in common.
#include <gtest/gtest.h>

#include "commands/commands.hpp"

namespace precis {
namespace {

TEST(HelpOfCommands, EveryDefaultHasItsSource) {
  for (const Command& command : command_table()) {
    OptionTable options;
    const Command::Run owner = command.prepare(options);
    for (const Option& option : options.options()) {
      EXPECT_FALSE(option.info.meaning.empty()) << command.name << " --" << option.key;
      if (!option.info.required && !option.text().empty()) {
        EXPECT_FALSE(option.info.source.empty()) << command.name << " --" << option.key;
      }
    }
  }
}

TEST(HelpOfCommands, CommandsThatWriteSayWhatTheyRead) {
  for (const Command& command : command_table()) {
    OptionTable options;
    const Command::Run owner = command.prepare(options);
    for (const char* key : {"output", "to", "json", "model", "from", "input", "tokenizer"}) {
      const Option* option = options.find(key);
      // Training commands write into a run folder, synthesize and inspect read no rows.
      if (option != nullptr && options.find("run") == nullptr && command.name != "synthesize") {
        EXPECT_NE(option->info.file, FileUse::none) << command.name << " --" << key;
      }
    }
  }
}

}  // namespace
}  // namespace precis
