#include "base/log.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "base/progress.hpp"
#include "support/expect_error.hpp"

namespace precis {
namespace {

using testing::HasSubstr;
using testing::Not;

/// What `f` writes to stderr.
template <class F>
std::string stderr_of(F&& f) {
  testing::internal::CaptureStderr();
  f();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesPlainMessagesOfItsLevel) {
  const std::string text = stderr_of([] {
    Log log;
    log.debug("hidden");
    log.info("{} rows", 3);
    log.warning("odd {{}}");
    log.error("bad");
  });
  EXPECT_EQ(text, "3 rows\nprecis: warning: odd {}\nprecis: bad\n");
}

TEST(Log, OtherRanksAreSilentBelowErrors) {
  const std::string text = stderr_of([] {
    Log log;
    log.set_rank(3);
    log.info("hello");
    log.error("bad");
    log.set_rank(3, true);
    log.info("told");
  });
  EXPECT_EQ(text, "precis: rank 3: bad\nrank 3: told\n");
}

TEST(Log, FileHasTimeStampsAndIsAppendedTo) {
  const std::string path = testing::TempDir() + "log_test.txt";
  std::remove(path.c_str());
  const std::string text = stderr_of([&] {
    for (const char* word : {"one", "two"}) {
      Log log;
      log.info("before");
      log.add_file(path);
      log.info("{}", word);
    }
  });
  EXPECT_EQ(text, "before\none\nbefore\ntwo\n");
  std::ifstream file(path);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(content,
              testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+Z info: before\n"
                                    "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+Z info: one\n"
                                    "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+Z info: before\n"
                                    "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+Z info: two\n"));
  std::remove(path.c_str());
}

TEST(Log, FileThatCannotBeOpenedIsAnError) {
  Log log;
  EXPECT_THAT(message_of<Error>([&] { log.add_file("/proc/none/log.txt"); }),
              HasSubstr("/proc/none/log.txt"));
}

TEST(Log, FullDiskIsSaidOnce) {
  const std::string text = stderr_of([] {
    Log log;
    log.add_file("/dev/full");
    log.info("one");
    log.info("two");
  });
  EXPECT_THAT(text, HasSubstr("one\n"));
  EXPECT_THAT(text, HasSubstr("two\n"));
  const auto first = text.find("cannot be written");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("cannot be written", first + 1), std::string::npos);
}

TEST(Progress, LineSaysStepValueSpeedAndTimeLeft) {
  Log log;
  const Progress progress(log, "sft", 100, 1800);
  EXPECT_EQ(progress.line(200,
                          {.values = {{.name = "loss", .value = 2.3456},
                                      {.name = "KL", .value = 0.126, .decimals = 2},
                                      {.name = "ended", .value = 0.126, .percent = true}},
                           .tokens_per_second = 12345.4},
                          10),
            "sft  step 200/1,800  2 min 40 s left  loss 2.3456  KL 0.13  ended 13%  "
            "12,345 tokens/s");
  EXPECT_EQ(progress.line(100, {.values = {{.name = "valid_loss", .value = std::nan("")}}}, 1),
            "sft  step 100/1,800");
  const Progress open(log, "synthesize", 0, 0);
  EXPECT_EQ(open.line(5, {}, 1), "synthesize  step 5");
  const Progress samples(log, "sampling", 0, 20, 30, "sample");
  EXPECT_EQ(samples.line(20, {}, 1), "sampling  sample 20/20");
}

/// What 50 steps in a moment write to a stderr that is no terminal.
std::string progress_of(LiveLine live, double plain_seconds) {
  return stderr_of([&] {
    Log log;
    log.set_live_line(live);
    Progress progress(log, "sft", 0, 50, plain_seconds);
    for (int step = 1; step <= 50; ++step) {
      progress.report(step, {.values = {{.name = std::string(80, 'x'), .value = 1.0}}});
    }
  });
}

TEST(Progress, WithoutATerminalFirstAndLastStepArePlainLines) {
  for (const LiveLine live : {LiveLine::automatic, LiveLine::never}) {
    const std::string text = progress_of(live, 30);
    EXPECT_THAT(text, HasSubstr("step 1/50"));
    EXPECT_THAT(text, HasSubstr("step 50/50"));
    EXPECT_THAT(text, Not(HasSubstr("step 25/50")));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  }
}

TEST(Progress, EachStepHasAPlainLineWhereNoTimeIsBetweenThem) {
  EXPECT_THAT(progress_of(LiveLine::never, 0), HasSubstr("step 25/50"));
}

TEST(Progress, ALiveLineThatIsAskedForNeedsNoTerminalAndIsNotWrapped) {
  const std::string text = progress_of(LiveLine::always, 30);
  const auto begin = text.find("\r\x1b[Ksft  step 1/50");
  ASSERT_NE(begin, std::string::npos) << text;
  const auto end = text.find('\r', begin + 1);
  ASSERT_NE(end, std::string::npos);
  EXPECT_EQ(end - begin, std::string("\r\x1b[K").size() + 79);
  EXPECT_THAT(text, HasSubstr("step 50/50"));
}

}  // namespace
}  // namespace precis
