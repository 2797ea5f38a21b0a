#include "io/output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "io/file_damage.hpp"
#include "io/text_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(OutputFile, AppearsWithItsNameWhenComplete) {
  const TemporaryFolder folder;
  OutputFile file(folder / "out.txt");
  file.write_line("one");
  // A command that is killed while it computes leaves nothing.
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  file.write(std::string(2'000'000, 'x'));
  EXPECT_FALSE(std::filesystem::exists(folder / "out.txt"));
  EXPECT_TRUE(std::filesystem::exists(folder / "out.txt.partial"));
  file.commit();
  EXPECT_EQ(read_file(folder / "out.txt").size(), 2'000'004U);
  EXPECT_FALSE(std::filesystem::exists(folder / "out.txt.partial"));
}

TEST(OutputFile, LeavesWhatWasThereWithoutCommit) {
  const TemporaryFolder folder;
  overwrite(folder / "out.txt", "old");
  {
    OutputFile file(folder / "out.txt");
    file.write("new");
  }
  EXPECT_EQ(read_file(folder / "out.txt"), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "out.txt.partial"));
}

TEST(OutputFile, WritesMoreThanItsBuffer) {
  const TemporaryFolder folder;
  const std::string block(300'000, 'x');
  std::string expected;
  OutputFile file(folder / "out.txt");
  for (int i = 0; i < 10; ++i) {
    file.write(block);
    file.write_line(std::to_string(i));
    expected += block + std::to_string(i) + "\n";
  }
  const std::string large(3'000'000, 'y');
  file.write(large);
  file.commit();
  EXPECT_EQ(read_file(folder / "out.txt"), expected + large);
}

TEST(OutputFile, GzipByItsName) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 250'000; ++i) {
    text += std::to_string(i * 7919 % 250'007) + "\n";
  }
  for (const std::string& content : {std::string(), std::string("short\n"), text}) {
    write_file(folder / "out.gz", content);
    const std::string found = read_file(folder / "out.gz");
    EXPECT_EQ(found.substr(0, 2), "\x1F\x8B");
    EXPECT_LT(found.size(), 40 + content.size() * 3 / 4);
    EXPECT_EQ(read_text_file(folder / "out.gz"), content);
  }
}

TEST(OutputFile, WritesThroughALink) {
  const TemporaryFolder folder;
  overwrite(folder / "target", "old");
  std::filesystem::create_symlink(folder / "target", folder / "link");
  write_file(folder / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "target"), "new");
}

TEST(OutputFile, SaysWhyItCannotBeWritten) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<Error>([&] { OutputFile file(folder.path()); }),
              HasSubstr("it is a folder"));
  EXPECT_THAT(message_of<Error>([&] { OutputFile file(folder.path() / "none" / "out"); }),
              HasSubstr("does not exist"));
  overwrite(folder / "file", "");
  EXPECT_THAT(message_of<Error>([&] { OutputFile file(folder.path() / "file" / "out"); }),
              HasSubstr("file"));
}

TEST(OutputFile, SaysWhyItCannotBeRenamed) {
  const TemporaryFolder folder;
  OutputFile file(folder / "out.txt");
  file.write("text");
  std::filesystem::create_directories(folder.path() / "out.txt" / "inner");
  errno = EACCES;  // of an earlier call
  EXPECT_THAT(message_of<Error>([&] { file.commit(); }),
              AllOf(HasSubstr("cannot rename"), HasSubstr("out.txt: Is a directory.")));
}

TEST(OutputFile, SaysThatADeviceIsFull) {
  EXPECT_THAT(message_of<Error>([] { write_file("/dev/full", "text"); }),
              HasSubstr("/dev/full: No space left on device"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(OutputFile, AppendsToAnOpenFileByItsDescriptor) {
  const TemporaryFolder folder;
  overwrite(folder / "out.txt", "before\n");
  const int descriptor = ::open((folder / "out.txt").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(descriptor, 0);
  write_file(fmt::format("/dev/fd/{}", descriptor), "after\n");
  ::close(descriptor);
  EXPECT_EQ(read_file(folder / "out.txt"), "before\nafter\n");
}

TEST(OutputFile, WritesIntoAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  write_file(fmt::format("/dev/fd/{}", ends[1]), "text");
  std::string found(4, '\0');
  EXPECT_EQ(::read(ends[0], found.data(), found.size()), 4);
  EXPECT_EQ(found, "text");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(ReadFile, SaysWhatItFound) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<Error>([&] { (void)read_file(folder / "none"); }),
              HasSubstr("does not exist"));
  EXPECT_THAT(message_of<Error>([&] { (void)read_file(folder.path()); }), HasSubstr("is a folder"));
}

}  // namespace
}  // namespace precis
