// Form C of every character, against Hugging Face's tokenizers
// (tests/golden/tokenizer/make_normalization.py).
#include "data/normalize.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace precis {
namespace {

nlohmann::json golden() {
  std::ifstream file(PRECIS_SOURCE_DIR "/tests/golden/tokenizer/normalization.json");
  return nlohmann::json::parse(file);
}

std::string utf8_of(char32_t point) {
  std::string text;
  const auto byte = [&](char32_t lead, int shift) {
    text += static_cast<char>(lead | (point >> shift & (lead == 0x80 ? 0x3F : 0x7F)));
  };
  if (point >= 0x10000) {
    byte(0xF0, 18);
    byte(0x80, 12);
    byte(0x80, 6);
  } else if (point >= 0x800) {
    byte(0xE0, 12);
    byte(0x80, 6);
  } else if (point >= 0x80) {
    byte(0xC0, 6);
  }
  byte(point >= 0x80 ? 0x80 : 0, 0);
  return text;
}

/// The character by itself and beside marks and Hangul, each in form C.
std::string normalized_beside_others(char32_t point) {
  const std::string c = utf8_of(point);
  std::string result;
  for (const std::string& text :
       {c, "a" + c + "\u0301", "a\u0315" + c, "a\u0327" + c + "\u0301\u0315", c + "\u0338",
        c + "\u1161", c + "\u11A8", "\u1100" + c}) {
    result += normalize_nfc(text);
  }
  return result;
}

TEST(NormalizeNfc, ComposesAndReorders) {
  EXPECT_EQ(normalize_nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(normalize_nfc("\u212B"), "\u00C5");               // a singleton
  EXPECT_EQ(normalize_nfc("\u1100\u1161\u11A8"), "\uAC01");   // Hangul
  EXPECT_EQ(normalize_nfc("a\u0315\u0300"), "\u00E0\u0315");  // reordered, then composed
  EXPECT_EQ(normalize_nfc("\u0958"), "\u0915\u093C");         // an exclusion
  EXPECT_EQ(normalize_nfc("a\xFF\u0301"), "a\xFF\u0301");     // not across bad bytes
}

TEST(NormalizeNfc, OfEveryCharacterIsThatOfTokenizers) {
  const nlohmann::json expected = golden();
  const auto block = expected.at("block").get<char32_t>();
  const auto checksums = expected.at("checksums").get<std::vector<uLong>>();
  ASSERT_EQ(checksums.size() * block, 0x110000U);
  for (std::size_t i = 0; i < checksums.size(); ++i) {
    const auto first = static_cast<char32_t>(i) * block;
    std::string all;
    for (char32_t point = first; point < first + block; ++point) {
      if (point < 0xD800 || point >= 0xE000) {
        all += normalized_beside_others(point);
      }
    }
    EXPECT_EQ(crc32_z(0, reinterpret_cast<const Bytef*>(all.data()), all.size()), checksums[i])
        << "from " << std::hex << static_cast<std::uint32_t>(first);
  }
}

TEST(NormalizeNfc, ComposesWhatTokenizersComposes) {
  const nlohmann::json expected = golden();
  const auto decomposed = expected.at("decomposed").get<std::vector<std::string>>();
  const auto composed = expected.at("composed").get<std::vector<std::string>>();
  ASSERT_GT(decomposed.size(), 1000U);
  ASSERT_EQ(decomposed.size(), composed.size());
  for (std::size_t i = 0; i < composed.size(); ++i) {
    EXPECT_EQ(normalize_nfc(decomposed[i]), composed[i]);
  }
}

}  // namespace
}  // namespace precis
