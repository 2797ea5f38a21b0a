#include "base/text.hpp"

#include <gtest/gtest.h>

namespace precis {
namespace {

TEST(Text, ValidUtf8) {
  for (const char* text :
       {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xF4\x8F\xBF\xBF", "\xC2\x80", "\xE0\xA0\x80", "\xF0\x90\x80\x80"}) {
    EXPECT_EQ(invalid_utf8_at(text), std::nullopt) << text;
  }
}

TEST(Text, InvalidUtf8IsFoundWhereItBegins) {
  const std::vector<std::pair<std::string, std::size_t>> cases{
      {"\x80", 0},                      // continuation first
      {"ab\xC3", 2},                    // cut short
      {"ab\xE2\x82", 2},                // cut short
      {"a\xC0\xAF", 1},                 // overlong
      {"a\xE0\x80\x80", 1},             // overlong
      {"a\xF0\x8F\xBF\xBF", 1},         // overlong
      {"a\xED\xA0\x80", 1},             // surrogate
      {"\xC3\xA9\xF4\x90\x80\x80", 2},  // above U+10FFFF
      {"\xF5\x80\x80\x80", 0},
      {"\xE2\x28\xA1", 0},
      {"\xFF", 0},
      {"ok\xF0\x9F\x98x", 2},
  };
  for (const auto& [text, place] : cases) {
    EXPECT_EQ(invalid_utf8_at(text), place) << text;
  }
}

TEST(Text, Split) {
  using Parts = std::vector<std::string>;
  EXPECT_EQ(split("", ','), Parts{});
  EXPECT_EQ(split("  ", ','), Parts{});
  EXPECT_EQ(split("a", ','), Parts{"a"});
  EXPECT_EQ(split(" a , b c,", ','), (Parts{"a", "b c", ""}));
}

TEST(Text, Listed) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed(std::vector<std::string>{"a"}), "a");
  EXPECT_EQ(listed(std::vector<std::string>{"a", "b"}), "a and b");
  EXPECT_EQ(listed(std::vector<std::string>{"a", "b", "c"}, 3), "a, b and c");
  EXPECT_EQ(listed(std::vector<std::string>{"a", "b", "c", "d"}, 3), "a, b and 2 more");
}

TEST(Text, NumbersForPeople) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(-1234567), "-1,234,567");
  EXPECT_EQ(with_thousands(-123), "-123");
  EXPECT_EQ(counted(0, "step"), "0 steps");
  EXPECT_EQ(counted(1, "mini-batch", "es"), "1 mini-batch");
  EXPECT_EQ(counted(1000, "mini-batch", "es"), "1,000 mini-batches");
  EXPECT_EQ(byte_size(7), "7 bytes");
  EXPECT_EQ(byte_size(1536), "1.5 KiB");
  EXPECT_EQ(byte_size(std::uint64_t{20} << 30), "20 GiB");
}

}  // namespace
}  // namespace precis
