// What every command's keys have in common.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "commands/aliases.hpp"
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

std::vector<std::string> keys_of(const Command& command) {
  OptionTable options;
  const Command::Run owner = command.prepare(options);
  std::vector<std::string> keys;
  for (const Option& option : options.options()) {
    keys.push_back(option.key);
  }
  return keys;
}

// An alias that no command can ever show is a mistake in the table.
TEST(HelpOfCommands, EveryAliasIsMeantSomewhere) {
  std::set<const Alias*> meant;
  std::vector<std::vector<std::string>> sets;
  for (const Command& command : command_table()) {
    sets.push_back(keys_of(command));
    OptionTable options;
    const Command::Run owner = command.prepare(options);
    for (const Option& option : options.options()) {
      sets.push_back(option.info.choices);
    }
  }
  for (const std::vector<std::string>& words : sets) {
    for (const Alias& alias : known_aliases()) {
      const Hint hint = meant_by(alias.name, words, known_aliases());
      if (hint.words == std::vector<std::string>{std::string{alias.word}} &&
          hint.note == alias.note) {
        meant.insert(&alias);
      }
    }
  }
  for (const Alias& alias : known_aliases()) {
    EXPECT_TRUE(meant.contains(&alias)) << alias.name << " for " << alias.word;
  }
}

TEST(HelpOfCommands, EveryAliasOfACommandNamesOne) {
  const std::vector<Command> commands = command_table();
  for (const Alias& alias : command_aliases()) {
    std::string name{alias.word};
    std::replace(name.begin(), name.end(), '.', ' ');
    const auto named = [&name](const Command& command) { return command.name == name; };
    EXPECT_EQ(std::count_if(commands.begin(), commands.end(), named), 1) << alias.name;
  }
}

// What people who come from other programs type.
TEST(HelpOfCommands, NamesOfOtherProgramsPointToKeys) {
  const std::vector<std::array<const char*, 3>> expected{
      {"sft", "lr", "train.learning_rate"},
      {"sft", "learning-rate", "train.learning_rate"},
      {"sft", "batch_size", "train.batch"},
      {"ppo", "batch_size", "ppo.batch"},
      {"sft", "num_train_epochs", "train.epochs"},
      {"ppo", "num_ppo_epochs", "ppo.epochs"},
      {"ppo", "ppo_epochs", "ppo.epochs"},
      {"ppo", "cliprange", "ppo.clip"},
      {"ppo", "kl_coef", "ppo.kl"},
      {"ppo", "gamma", "ppo.gamma"},
      {"ppo", "lam", "ppo.lambda"},
      {"ppo", "vf_coef", "ppo.value_coefficient"},
      {"ppo", "max_new_tokens", "data.max_response_tokens"},
      {"sample", "max_new_tokens", "sampling.max_new_tokens"},
      {"sample", "max_tokens", "sampling.max_new_tokens"},
      {"sample", "temperature", "sampling.temperature"},
      {"reward", "output_dir", "run"},
      {"sample", "output_dir", "output"},
      {"ppo", "algorithm.kl_ctrl.kl_coef", "ppo.kl"},
      {"sft", "warmup", "train.warmup_steps"},
      {"sft", "dry-run", "dry_run"},
  };
  for (const auto& [name, word, key] : expected) {
    const std::vector<Command> commands = command_table();
    const auto command = std::find_if(
        commands.begin(), commands.end(),
        [wanted = std::string{name}](const Command& one) { return one.name == wanted; });
    ASSERT_NE(command, commands.end()) << name;
    EXPECT_EQ(meant_by(word, keys_of(*command), known_aliases()).words,
              std::vector<std::string>{key})
        << name << " --" << word;
  }
}

}  // namespace
}  // namespace precis
