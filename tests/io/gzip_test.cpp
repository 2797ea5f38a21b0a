#include "io/gzip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "io/output_file.hpp"
#include "io/text_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A gzip file's bytes with this text.
std::string compressed(const TemporaryFolder& folder, const std::string& text) {
  write_file(folder / "member.gz", text);
  return read_file(folder / "member.gz");
}

/// Gives the bytes in parts of `part`, as a pipe may.
GzipReader::Source in_parts(std::string bytes, std::size_t part) {
  return [bytes = std::move(bytes), part, at = std::size_t{0}](char* to, std::size_t size) mutable {
    const std::size_t count = std::min({part, size, bytes.size() - at});
    std::copy_n(bytes.data() + at, count, to);
    at += count;
    return count;
  };
}

std::string read_all(const std::string& bytes, std::size_t part, std::size_t room,
                     const std::string& name = "rows.gz") {
  GzipReader reader(in_parts(bytes, part), name);
  std::string text;
  std::string block(room, '\0');
  while (const std::size_t count = reader.read(block.data(), room)) {
    text.append(block, 0, count);
  }
  EXPECT_EQ(reader.read(block.data(), room), 0U) << "the end stays the end";
  return text;
}

std::string sentences(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "{\"a\":" + std::to_string(i * 7919 % 5003) + "}\n";
  }
  return text;
}

TEST(Gzip, MembersAndPaddingAreOneTextHoweverTheBytesCome) {
  const TemporaryFolder folder;
  const std::string first = sentences(3000);
  const std::string second = "{\"a\":\"the last\"}\n";
  const std::string two = compressed(folder, first) + compressed(folder, second);
  for (const std::string& bytes : {two, two + std::string(1, '\0'), two + std::string(700, '\0')}) {
    for (const std::size_t part : {std::size_t{1}, std::size_t{1000}, bytes.size()}) {
      EXPECT_EQ(read_all(bytes, part, 4096), first + second) << part;
    }
    EXPECT_EQ(read_all(bytes, bytes.size(), 1), first + second);
  }
  EXPECT_EQ(read_all(compressed(folder, ""), 5, 10), "");
}

TEST(Gzip, WhatIsNotGzipIsReadAsItIs) {
  EXPECT_EQ(read_all("{\"a\":1}\n", 1, 3, "rows.jsonl"), "{\"a\":1}\n");
  EXPECT_EQ(read_all("{\"a\":1}\n", 100, 3, "rows.gz"), "{\"a\":1}\n");
  EXPECT_EQ(read_all("", 1, 3, "rows.jsonl"), "");
  EXPECT_EQ(read_all("\x1f", 1, 3, "rows.jsonl"), "\x1f");
}

TEST(Gzip, AnythingElseBehindAMemberIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  const std::string member = compressed(folder, sentences(10));
  for (const std::string& rest :
       {std::string("{\"a\":1}\n"), std::string("x"), std::string("\x1f"),
        std::string("\0\0\0x", 4), std::string("\0\0", 2) + member, std::string("\r\n")}) {
    for (const std::size_t part : {std::size_t{1}, std::size_t{100000}}) {
      const std::string message =
          message_of<Error>([&] { (void)read_all(member + rest, part, 4096); });
      EXPECT_THAT(message, AllOf(HasSubstr("rows.gz"), HasSubstr("is not gzip"))) << rest;
      const std::size_t zeros = rest.find_first_not_of('\0');
      EXPECT_THAT(message, HasSubstr("byte " + std::to_string(member.size() + zeros + 1) + ","));
    }
  }
}

TEST(Gzip, NoCutAndNoFlippedByteGivesAnotherText) {
  const TemporaryFolder folder;
  const std::string text = sentences(40);
  const std::string member = compressed(folder, text);
  for (std::size_t size = 0; size < member.size(); ++size) {
    const std::string cut = member.substr(0, size);
    EXPECT_THAT(message_of<Error>([&] { (void)read_all(cut, 50, 64); }),
                HasSubstr("damaged or cut short"))
        << size;
    if (size > 0) {
      EXPECT_THROW((void)read_all(member + cut, 50, 64), Error) << size;
    }
  }
  constexpr std::size_t header = 10;  // its time and operating system may be anything
  for (std::size_t at = header; at < member.size(); ++at) {
    std::string flipped = member;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    try {
      // A copy from another place may happen to be of the same bytes.
      EXPECT_EQ(read_all(flipped, 50, 64), text) << at;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("rows.gz: "));
    }
  }
}

TEST(Gzip, FilesWithAPlainOneAppendedLoseNoRows) {
  const TemporaryFolder folder;
  const std::string path =
      folder.file("rows.jsonl.gz", compressed(folder, sentences(5)) + sentences(3));
  EXPECT_THAT(message_of<Error>([&] { (void)read_text_file(path); }), HasSubstr(path));
  LineReader lines(path);
  std::string line;
  EXPECT_THROW(while (lines.next(line)){}, Error);
}

}  // namespace
}  // namespace precis
