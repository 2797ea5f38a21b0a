// The program's exit statuses and messages, alone and under mpirun.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "support/shell.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Outcome alone(const std::string& arguments) { return shell(PRECIS_PROBE " " + arguments); }

Outcome on_two_ranks(const std::string& arguments) {
  return shell("timeout 60 " PRECIS_MPIRUN " --oversubscribe --bind-to none -n 2 " PRECIS_PROBE
               " " +
               arguments);
}

TEST(Program, RunsACommandWithItsOptions) {
  const Outcome outcome = alone("print --count 5 --text hello");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, "print 5 hello\n");
}

TEST(Program, CommandOfTwoWords) {
  EXPECT_EQ(alone("group two --count 1").output, "group two 1 \n");
  const Outcome wrong = alone("group three");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.output, HasSubstr("group one, group two"));
  EXPECT_EQ(alone("group").status, 2);
  EXPECT_THAT(alone("group --help").output, HasSubstr("be the second of a group"));
}

TEST(Program, UsageErrorsHaveStatus2AndOneMessage) {
  for (const char* arguments : {"", "prnt", "print --cuont 3", "print --count x",
                                "print nowhere.cfg", "\"\"", "print \"\"", "print --text \"\""}) {
    const Outcome outcome = alone(arguments);
    EXPECT_EQ(outcome.status, 2) << arguments;
    EXPECT_EQ(count_of(outcome.output, "precis: "), 1) << outcome.output;
    EXPECT_EQ(count_of(outcome.output, "\n"), 1) << outcome.output;
  }
  EXPECT_THAT(alone("prnt").output, HasSubstr("Did you mean print?"));
  EXPECT_THAT(alone("plan").output, AllOf(HasSubstr("plan is not a command"),
                                          HasSubstr("print, group one"), Not(HasSubstr("mean"))));
  EXPECT_THAT(alone("grop two --x").output, HasSubstr("Did you mean group two?"));
  EXPECT_THAT(alone("group oen").output, HasSubstr("Did you mean group one?"));
  EXPECT_THAT(alone("two").output, HasSubstr("Did you mean group two?"));
  EXPECT_THAT(alone("grup").output, HasSubstr("Did you mean group?"));
  EXPECT_THAT(alone("prnt some.cfg").output, HasSubstr("Did you mean print?"));
}

TEST(Program, OtherStatuses) {
  EXPECT_EQ(alone("stop").status, 75);
  const Outcome memory = alone("exhaust");
  EXPECT_EQ(memory.status, 1);
  EXPECT_THAT(memory.output, HasSubstr("memory"));
}

TEST(Program, ResultsThatCannotBeWrittenAreAnError) {
  const Outcome outcome = shell(PRECIS_PROBE " print 2>&1 >/dev/full");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("No space left on device"));
}

TEST(Program, HelpAndVersion) {
  const Outcome help = alone("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("print the options"));
  const Outcome command = alone("print --help");
  EXPECT_EQ(command.status, 0);
  EXPECT_THAT(command.output, HasSubstr("--count"));
  for (const char* words : {"help", "-h", "--help --help"}) {
    EXPECT_EQ(alone(words).output, help.output) << words;
  }
  for (const char* words : {"--help print", "help print", "help print --help"}) {
    EXPECT_EQ(alone(words).output, command.output) << words;
  }
  EXPECT_THAT(alone("help group").output, HasSubstr("be the second of a group"));
  EXPECT_EQ(alone("help prnt").status, 2);
  const Outcome version = alone("--version");
  EXPECT_EQ(version.status, 0);
  for (const char* part :
       {"commit", "Open MPI", "HDF5", "Boost", "fmt", "instruction set", "CUDA"}) {
    EXPECT_THAT(version.output, HasSubstr(part));
  }
}

TEST(Program, TheDecksThatTheHelpNamesAreThere) {
  const std::string help = alone("--help").output;
  int decks = 0;
  for (auto at = help.find("inputs/"); at != std::string::npos; at = help.find("inputs/", at + 1)) {
    const std::string deck = help.substr(at, help.find(' ', at) - at);
    EXPECT_TRUE(std::ifstream(PRECIS_SOURCE_DIR "/" + deck).good()) << deck;
    ++decks;
  }
  EXPECT_GT(decks, 0);
}

TEST(Program, MpiCommandRunsAloneAndOnRanks) {
  EXPECT_EQ(alone("ranks").output, "1 ranks\nranks 3 \n");
  const Outcome two = on_two_ranks("ranks --count 4");
  EXPECT_EQ(two.status, 0) << two.output;
  EXPECT_EQ(count_of(two.output, "2 ranks\n"), 1) << two.output;
  EXPECT_EQ(count_of(two.output, "ranks 4"), 1) << two.output;
}

TEST(Program, RowsOfAllRanksAreWrittenInOrderHoweverManyPieces) {
  constexpr std::size_t mib = std::size_t{1} << 20;
  const TemporaryFolder folder;
  const Outcome outcome = on_two_ranks("rows --count 20 --text " + (folder / "rows").string());
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::ifstream file(folder / "rows", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_EQ(text.size(), 40 * mib);
  for (std::size_t line = 0; line < 40; ++line) {
    ASSERT_EQ(text[line * mib], line < 20 ? '0' : '1');
    ASSERT_EQ(text[line * mib + mib - 1], '\n');
  }
}

TEST(Program, RowsThatCannotBeWrittenAreAnErrorOfAllRanks) {
  const Outcome outcome = on_two_ranks("rows --count 20 --text /dev/full");
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_EQ(count_of(outcome.output, "No space left on device"), 1) << outcome.output;
}

TEST(Program, UsageErrorOnRanksIsPrintedOnce) {
  for (const char* arguments : {"nonsense", "ranks --cuont 3", "ranks --count nan"}) {
    const Outcome outcome = on_two_ranks(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    EXPECT_EQ(count_of(outcome.output, "precis: "), 1) << outcome.output;
  }
}

TEST(Program, AgreedErrorIsPrintedOnceByRank0) {
  const Outcome outcome = on_two_ranks("agreed");
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_EQ(count_of(outcome.output, "precis: rank 1: The last rank has failed."), 1)
      << outcome.output;
  EXPECT_EQ(count_of(outcome.output, "precis: "), 1) << outcome.output;
  EXPECT_THAT(outcome.output, Not(HasSubstr("MPI_ABORT")));
}

TEST(Program, ErrorOfOneRankEndsAllRanks) {
  const Outcome outcome = on_two_ranks("alone");
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_EQ(count_of(outcome.output, "precis: rank 1: One rank has failed."), 1) << outcome.output;
  EXPECT_EQ(count_of(outcome.output, "precis: "), 1) << outcome.output;
}

TEST(Program, ErrorOfEveryRankIsPrintedOnce) {
  const Outcome outcome = on_two_ranks("everywhere");
  EXPECT_EQ(outcome.status, 2) << outcome.output;
  EXPECT_EQ(count_of(outcome.output, "Every rank has failed."), 1) << outcome.output;
}

TEST(Program, ErrorOfTheOnlyRankNeedsNoAbort) {
  const Outcome outcome = alone("alone");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.output, "precis: One rank has failed.\n");
}

TEST(Program, ThatASignalEndsSaysSoAndLeavesNothingUnfinished) {
  for (const char* signal : {"INT", "TERM", "HUP", "USR1", "USR2", "XCPU"}) {
    const TemporaryFolder folder;
    const std::string file = folder / "out";
    // A shell starts what it leaves in the background with SIGINT ignored.
    const Outcome outcome =
        shell("env --default-signal=INT " PRECIS_PROBE " forever --text " + file + " > " + file +
              ".said 2>&1 & job=$!; "
              "until grep -q begun " +
              file +
              ".said; do sleep 0.05; done; "
              "ls " +
              file + ".partial " + file +
              "_folder.partial/a; "
              "kill -" +
              signal + " $job; wait $job; status=$?; cat " + file + ".said; rm " + file +
              ".said; exit $status");
    EXPECT_GT(outcome.status, 128) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr(file + ".partial\n"), HasSubstr(".partial/a\n"),
                                      HasSubstr("precis: SIG" + std::string(signal)),
                                      HasSubstr("was received: the program ends")));
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << outcome.output;
  }
}

TEST(Program, ThatMayNotWriteSuchLargeFilesSaysSoAndLeavesNone) {
  const TemporaryFolder folder;
  const std::string file = folder / "out";
  const Outcome outcome =
      shell("bash -c 'ulimit -f 1024; exec " PRECIS_PROBE " much --text " + file + "'");
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("cannot write " + file), HasSubstr("File too large"),
                                    HasSubstr("ulimit -f")));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace precis
