#include "feedback/labeler_traits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace precis {
namespace {

using testing::HasSubstr;

TEST(LabelerTraits, AreReadInAnyOrder) {
  const auto labelers = parse_labelers(
      {"ann", "bob:length", "cal : accuracy_blind = 0.5 : drift=0.25", "dan:random:length=2",
       "eve:adversarial", "gus:temperature=0.4:adversarial=0.5", "hal:random=0.5:reliability=0.8",
       "ida:reliability=0.8:random=0.5"},
      {.worker = "", .temperature = 0.3, .reliability = 0.9});
  ASSERT_EQ(labelers.size(), 8U);
  EXPECT_EQ(labelers[0].worker, "ann");
  EXPECT_EQ(labelers[0].temperature, 0.3);
  EXPECT_EQ(labelers[0].reliability, 0.9);
  EXPECT_EQ(labelers[0].gold_weight, 1);
  EXPECT_EQ(labelers[0].length_bonus, 0);
  EXPECT_EQ(labelers[1].length_bonus, 1);
  EXPECT_EQ(labelers[2].worker, "cal");
  EXPECT_EQ(labelers[2].blindness, 0.5);
  EXPECT_EQ(labelers[2].drift, 0.25);
  EXPECT_EQ(labelers[3].reliability, 0);
  EXPECT_EQ(labelers[3].length_bonus, 2);
  EXPECT_EQ(labelers[4].gold_weight, -1);
  EXPECT_EQ(labelers[5].temperature, 0.4);
  EXPECT_EQ(labelers[5].gold_weight, -0.5);
  EXPECT_EQ(labelers[6].reliability, 0.4);
  EXPECT_EQ(labelers[7].reliability, 0.4);
}

TEST(LabelerTraits, MistakesAreNamed) {
  const auto refused = [](const std::vector<std::string>& items) {
    return message_of<UsageError>([&] { (void)parse_labelers(items, {}); });
  };
  EXPECT_THAT(refused({"ann:lenght"}), HasSubstr("Did you mean length?"));
  EXPECT_THAT(refused({"ann:drift=2"}), HasSubstr("drift must be a number from 0 to 1, not '2'"));
  EXPECT_THAT(refused({"ann:length=-1"}), HasSubstr("of at least 0"));
  EXPECT_THAT(refused({"ann:length=inf"}), HasSubstr("'inf'"));
  EXPECT_THAT(refused({"ann:random=0.5x"}), HasSubstr("'0.5x'"));
  EXPECT_THAT(refused({"ann:temperature"}), HasSubstr("needs a number"));
  EXPECT_THAT(refused({"ann:drift:drift=0.5"}), HasSubstr("there twice"));
  EXPECT_THAT(refused({"ann:"}), HasSubstr("not a trait"));
  EXPECT_THAT(refused({":drift"}), HasSubstr("expected a name"));
  EXPECT_THAT(refused({""}), HasSubstr("expected a name"));
  EXPECT_THAT(refused({"ann", "bob", "ann:random"}), HasSubstr("names ann twice"));
}

TEST(LabelerTraits, HelpNamesEachWithItsDefault) {
  for (const char* trait : {"length[=1]", "accuracy_blind[=1]", "random[=1]", "adversarial[=1]",
                            "drift[=1]", "temperature=s", "reliability=s"}) {
    EXPECT_THAT(describe_traits(), HasSubstr(trait));
  }
}

}  // namespace
}  // namespace precis
