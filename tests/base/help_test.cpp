#include "base/help.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

TEST(Help, ShowsEveryPartOfEveryKeyWithinTheWidth) {
  std::int64_t steps = 10;
  std::string keep = "last";
  std::string input;
  std::string reference;
  OptionTable table;
  table.add("train.steps", &steps,
            {.unit = "steps",
             .meaning = "optimizer steps, or 0 to train for as many epochs as train.epochs says, "
                        "each row once an epoch",
             .source = "Stiennon 2020, appendix B"});
  table.add("train.keep", &keep, {.meaning = "model to keep", .choices = {"last", "best"}});
  table.add("input", &input, {.meaning = "rows", .required = true});
  table.add("reference", &reference, {.meaning = "model", .default_text = "the policy"});
  for (const std::size_t width : {40U, 80U, 99U, 100U, 120U}) {
    const std::string help = command_help("sft", "fine-tune a model", table, width);
    for (const char* part :
         {"precis sft [DECK.cfg]", "Fine-tune a model.", "--train.steps", "integer", "10", "steps",
          "appendix", "B]", "model to keep: last, best", "required", "policy"}) {
      EXPECT_THAT(help, HasSubstr(part)) << width;
    }
    for (std::string_view rest = help; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      EXPECT_LE(line.size(), width) << line;
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
  }
}

TEST(Help, ANarrowPageHasTheMeaningBelowTheKey) {
  std::int64_t steps = 10;
  OptionTable table;
  table.add("train.steps", &steps,
            {.unit = "batches", .meaning = "optimizer steps", .source = "x"});
  EXPECT_THAT(
      command_help("sft", "train", table, 80),
      HasSubstr("\n--train.steps (integer, in batches, default 10)\n    optimizer steps [x]\n"));
  EXPECT_THAT(command_help("sft", "train", table, 100),
              HasSubstr("\n--train.steps  integer  10       batches  optimizer steps [x]\n"));
}

TEST(Help, SummariesStandBelowEachOther) {
  const std::vector<std::pair<std::string, std::string>> summaries{{"a", "do one thing"},
                                                                   {"bcd", "do two things"}};
  EXPECT_EQ(listed_help(summaries, 80), "  a    do one thing\n  bcd  do two things\n");
  EXPECT_EQ(listed_help(std::span{summaries}.first(1), 20), "  a\n    do one thing\n");
}

TEST(Help, TheEnvironmentSetsTheWidth) {
  const auto with_columns = [](const char* text) {
    setenv("COLUMNS", text, 1);
    return help_width();
  };
  EXPECT_EQ(with_columns("57"), 57U);
  EXPECT_EQ(with_columns("3"), 40U);
  EXPECT_EQ(with_columns("100000"), 120U);
  // What is no number is as if it were not set.
  unsetenv("COLUMNS");
  const std::size_t unset = help_width();
  EXPECT_EQ(with_columns("wide"), unset);
  EXPECT_EQ(with_columns("0"), unset);
  unsetenv("COLUMNS");
}

TEST(Help, WrapsAtBlanksAndCutsLongWords) {
  EXPECT_EQ(wrapped("aa bb cc", 5), (std::vector<std::string>{"aa bb", "cc"}));
  EXPECT_EQ(wrapped("abcdefg h", 3), (std::vector<std::string>{"abc", "def", "g h"}));
  EXPECT_TRUE(wrapped("", 5).empty());
}

}  // namespace
}  // namespace precis
