#include "base/help.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

TEST(Help, ShowsEveryPartOfEveryKeyWithin100Columns) {
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
  const std::string help = command_help("sft", "fine-tune a model", table);
  for (const char* part :
       {"precis sft [DECK.cfg]", "Fine-tune a model.", "--train.steps", "integer", "10", "steps",
        "appendix B]", "model to keep: last, best", "required", "the policy"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  for (const std::string& line : split(help, '\n')) {
    EXPECT_LE(line.size(), 100U) << line;
  }
}

TEST(Help, WrapsAtBlanksAndCutsLongWords) {
  EXPECT_EQ(wrapped("aa bb cc", 5), (std::vector<std::string>{"aa bb", "cc"}));
  EXPECT_EQ(wrapped("abcdefg h", 3), (std::vector<std::string>{"abc", "def", "g h"}));
  EXPECT_TRUE(wrapped("", 5).empty());
}

}  // namespace
}  // namespace precis
