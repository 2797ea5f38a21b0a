#include "data/byte_text.hpp"

#include <gtest/gtest.h>

namespace precis {
namespace {

TEST(ByteText, Base64OfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

// The expected texts are those of Python's bytes.decode("utf-8", "replace").
TEST(ByteText, ReplacesEachBrokenCharacterOnce) {
  EXPECT_EQ(replace_invalid_utf8("caf\xC3\xA9"), "caf\u00E9");
  EXPECT_EQ(replace_invalid_utf8("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x91"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x91z"), "\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82\xE2\x82\xAC"), "\uFFFD\u20AC");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");
}

}  // namespace
}  // namespace precis
