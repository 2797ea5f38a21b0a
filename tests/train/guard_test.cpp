#include "train/guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::string message_of(double loss, nlohmann::ordered_json& extra) {
  try {
    guard_loss(7, "the loss", loss, extra);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Guard, NamesStepAndWhatIsNotFinite) {
  nlohmann::ordered_json extra;
  EXPECT_THAT(message_of(nan, extra), HasSubstr("Step 7: the loss is nan"));
  EXPECT_THAT(message_of(std::numeric_limits<double>::infinity(), extra),
              HasSubstr("the loss is inf"));
  EXPECT_THAT(message_of(-nan, extra),
              AllOf(HasSubstr("the loss is nan"), HasSubstr("in another run folder")));
}

TEST(Guard, ComparesWithTheFirstLossOfTheRun) {
  nlohmann::ordered_json extra;
  EXPECT_EQ(message_of(2, extra), "");
  EXPECT_EQ(extra["first_loss"], 2);
  EXPECT_EQ(message_of(20, extra), "");
  EXPECT_THAT(message_of(20.5, extra), HasSubstr("more than ten times the 2"));
}

TEST(Guard, SmallLossesMayGrowTenfold) {
  nlohmann::ordered_json extra;
  EXPECT_EQ(message_of(0.1, extra), "");
  EXPECT_EQ(message_of(9, extra), "");
}

}  // namespace
}  // namespace precis
