// What every command's keys have in common.
#include <gtest/gtest.h>

#include <cmath>

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

/// Whether the words are taken or refused with a message; anything else fails the test.
void try_words(const Command& command, const std::vector<std::string>& words) {
  OptionTable options;
  const Command::Run owner = command.prepare(options);
  try {
    options.parse(words);
  } catch (const UsageError& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.find(words.front().substr(0, words.front().find('='))) !=
                    std::string::npos ||
                message.starts_with("Missing: "))
        << message;
  }
}

TEST(HelpOfCommands, NumbersAtTheEndsOfTheirTypesAreTakenOrRefused) {
  for (const Command& command : command_table()) {
    OptionTable options;
    const Command::Run owner = command.prepare(options);
    for (const Option& option : options.options()) {
      if (option.type != "integer" && option.type != "number") {
        continue;
      }
      // A product of counts without bounds would be no number; a seed may be any.
      const bool bounded = std::isfinite(option.info.maximum) || option.info.below.has_value();
      EXPECT_TRUE(bounded || option.key.ends_with("seed")) << command.name << " --" << option.key;
      EXPECT_TRUE(std::isfinite(option.info.minimum)) << command.name << " --" << option.key;
      for (const char* value :
           {"0", "1", "-1", "2147483647", "2147483648", "4611686018427387904",
            "9223372036854775807", "9223372036854775808", "1e300", "1e-300", "nan", "inf", ""}) {
        try_words(command, {"--" + option.key + "=" + value});
      }
    }
  }
}

}  // namespace
}  // namespace precis
